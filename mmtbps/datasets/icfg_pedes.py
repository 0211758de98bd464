"""ICFG-PEDES."""

import os
from collections.abc import Iterable
from typing import Any

from mmengine import fileio

from mmtbps.core.arguments import checked
from mmtbps.registry import DATASETS

from .annotation import ImageEntry
from .base import TBPSDataset
from .carving import carve_splits

__all__ = ['ICFGPEDES']

_FILE_NAMES = ('ICFG-PEDES.json', 'ICFG_PEDES.json')


@DATASETS.register_module()
class ICFGPEDES(TBPSDataset):
    """ICFG-PEDES: Ding et al., "Semantically Self-Aligned Network for Text-to-Image Part-aware Person Re-ID", 2021.

    ::

        data_root/ICFG-PEDES.json   list of {split, captions, file_path, id, ...}; also seen as ICFG_PEDES.json
        data_root/imgs/             train/ test/

    ===== ========== ====== ========
    split identities images captions
    ===== ========== ====== ========
    train 3,102      34,674 34,674
    test  1,000      19,848 19,848
    ===== ========== ====== ========

    No validation split is published, and selecting an epoch on the test split would be training on it. Therefore some
    training identities, with all their images, become the val split. They are those with the smallest BLAKE2 digests of
    the raw identity, so that the choice depends only on the identities and ``num_val_ids``.

    Args:
        ann_file: Annotation file. Defaults to 'ICFG-PEDES.json', or 'ICFG_PEDES.json' if only that exists.
        num_val_ids: Number of training identities that become the val split. Defaults to 200, the size of RSTPReid's
            val split; 0 keeps the published training split.
        **kwargs: See :class:`TBPSDataset`.

    Raises:
        ValueError: If ``num_val_ids`` is negative, or leaves no identity for training.
    """

    METAINFO = {'dataset': 'ICFG-PEDES'}
    statistics = {'train': (3102, 34674, 34674), 'test': (1000, 19848, 19848)}
    annotation_help = (
        'ICFG-PEDES needs ICFG-PEDES.json (or ICFG_PEDES.json), a list of {split, captions, file_path, id} that its '
        'authors provide on request.'
    )

    @checked()
    def __init__(self, ann_file: str = _FILE_NAMES[0], num_val_ids: int = 200, **kwargs: Any) -> None:
        self.num_val_ids = num_val_ids
        super().__init__(ann_file=ann_file, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        folder, name = os.path.split(self.ann_file)
        if name in _FILE_NAMES and not fileio.exists(self.ann_file):
            there = [path for path in (os.path.join(folder, other) for other in _FILE_NAMES) if fileio.exists(path)]
            self.ann_file = there[0] if there else self.ann_file

    def parse(self, raw: Any) -> Iterable[ImageEntry]:
        """Convert the annotation to entries and move ``num_val_ids`` identities from train to val.

        Args:
            raw: A list of objects.

        Returns:
            One entry per image.

        Raises:
            ValueError: If there are too few training identities, or there already is a val split.
        """
        entries = list(super().parse(raw))
        try:
            return carve_splits(entries, self.num_val_ids)
        except ValueError as error:
            self.reject(str(error), error)
            return entries
