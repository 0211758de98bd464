"""CUHK-PEDES."""

import os
from typing import Any

from mmengine import fileio

from mmtbps.core.arguments import checked
from mmtbps.registry import DATASETS

from .annotation import ImageEntry
from .base import TBPSDataset

__all__ = ['CUHKPEDES']


@DATASETS.register_module()
class CUHKPEDES(TBPSDataset):
    """CUHK-PEDES: Li et al., "Person Search with Natural Language Description", CVPR 2017.

    ::

        data_root/reid_raw.json   list of {split, captions, file_path, id, ...}
        data_root/imgs/           cam_a/ cam_b/ CUHK01/ CUHK03/ Market/ test_query/ train_query/

    ===== ========== ====== ========
    split identities images captions
    ===== ========== ====== ========
    train 11,003     34,054 68,126
    val   1,000      3,078  6,158
    test  1,000      3,074  6,156
    ===== ========== ====== ========

    Args:
        ann_file: Annotation file. Defaults to 'reid_raw.json', the file that contains the split.
        **kwargs: See :class:`TBPSDataset`.
    """

    METAINFO = {'dataset': 'CUHK-PEDES'}
    statistics = {'train': (11003, 34054, 68126), 'val': (1000, 3078, 6158), 'test': (1000, 3074, 6156)}
    annotation_help = (
        'CUHK-PEDES needs reid_raw.json, a list of {split, captions, file_path, id} that its authors provide on '
        'request.'
    )

    @checked()
    def __init__(self, ann_file: str = 'reid_raw.json', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)

    def read_entries(self) -> list[ImageEntry]:
        """Read the entries of all splits, see :meth:`TBPSDataset.read_entries`.

        Raises:
            FileNotFoundError: If the annotation does not exist, with a hint if only ``caption_all.json`` does.
        """
        only = os.path.join(os.path.dirname(self.ann_file), 'caption_all.json')
        if not fileio.exists(self.ann_file) and fileio.exists(only):
            raise FileNotFoundError(
                f'{self.ann_file} does not exist, only {only}, which lacks the split of every entry and cannot '
                f'replace it. {self.annotation_help}'
            )
        return super().read_entries()
