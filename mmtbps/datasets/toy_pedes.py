"""ToyPEDES: drawn pedestrians."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine import fileio

from mmtbps.core.arguments import checked
from mmtbps.registry import DATASETS
from mmtbps.toy import ToySpec, write_toy_pedes

from .annotation import ImageEntry
from .cuhk_pedes import CUHKPEDES
from .tokenizers import WordTokenizer

__all__ = ['ToyPEDES', 'draw_toy_pedes']


def draw_toy_pedes(root: str | Path, **drawing: Any) -> Path:
    """Draw ToyPEDES into ``root``, unless it exists already, with the words of :class:`WordTokenizer`.

    Args:
        root: The data root.
        **drawing: Arguments of :class:`mmtbps.toy.ToySpec`: ``num_train_ids``, ``num_val_ids``, ``num_test_ids``,
            ``images_per_id``, ``seed``, ``words``.

    Returns:
        ``root``.

    Raises:
        ValueError: If an argument is out of range, or ``root`` holds another data set.
    """
    return write_toy_pedes(root, ToySpec(**drawing), WordTokenizer().tokenize)


@DATASETS.register_module()
class ToyPEDES(CUHKPEDES):
    """Drawn pedestrians with generated sentences, in CUHK-PEDES's layout and read by CUHK-PEDES's reader.

    The data are drawn into ``data_root`` when the annotation is first read, unless they exist; processes that start
    together draw them once. Identities of the splits are disjoint, and a quarter of them come in groups that differ in
    a single attribute.

    Args:
        data_root: Folder of the data set. Defaults to 'data/toypedes'.
        drawing: Arguments of :class:`mmtbps.toy.ToySpec`: ``num_train_ids``, ``num_val_ids``, ``num_test_ids``,
            ``images_per_id``, ``seed``, ``words``; the same for all three splits. Defaults to None: an existing data
            set of any size is read, otherwise one with the defaults of ``ToySpec`` is drawn.
        **kwargs: See :class:`~mmtbps.datasets.TBPSDataset`.

    Raises:
        ValueError: If ``data_root`` holds another data set than ``drawing`` describes.
    """

    METAINFO = dict(dataset='ToyPEDES')
    statistics = {}
    annotation_help = 'tools/dataset_tools/draw_toypedes.py draws the data set; remove the present files first.'

    @checked()
    def __init__(
        self,
        data_root: str = 'data/toypedes',
        drawing: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.drawing = drawing
        super().__init__(data_root=data_root, **kwargs)

    def read_entries(self) -> list[ImageEntry]:
        """Draw the data if they do not exist, then read the annotation."""
        if self.drawing is not None or not fileio.exists(self.ann_file):
            draw_toy_pedes(self.data_root, **(self.drawing or {}))
        return super().read_entries()
