"""RSTPReid."""

from typing import Any

from mmtbps.core.arguments import checked
from mmtbps.registry import DATASETS

from .base import TBPSDataset

__all__ = ['RSTPReid']


@DATASETS.register_module()
class RSTPReid(TBPSDataset):
    """RSTPReid: Zhu et al., "DSSL: Deep Surroundings-person Separation Learning", ACM Multimedia 2021.

    ::

        data_root/data_captions.json   list of {id, img_path, captions, split}
        data_root/imgs/                all images

    ===== ========== ====== ========
    split identities images captions
    ===== ========== ====== ========
    train 3,701      18,505 37,010
    val   200        1,000  2,000
    test  200        1,000  2,000
    ===== ========== ====== ========

    Some captions contain fragments of code and non-ASCII characters; they are not changed.

    Args:
        ann_file: Annotation file. Defaults to 'data_captions.json', its published name.
        **kwargs: See :class:`TBPSDataset`.
    """

    METAINFO = {'dataset': 'RSTPReid'}
    keys = {'img_path': 'img_path', 'person_id': 'id', 'captions': 'captions', 'split': 'split'}
    statistics = {'train': (3701, 18505, 37010), 'val': (200, 1000, 2000), 'test': (200, 1000, 2000)}
    annotation_help = 'RSTPReid needs data_captions.json, a list of {id, img_path, captions, split}.'

    @checked()
    def __init__(self, ann_file: str = 'data_captions.json', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)
