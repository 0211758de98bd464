"""Person search in the style of MMPretrain's inferencers."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample

from mmtbps.datasets.base import TBPSDataset
from mmtbps.visualization import TBPSVisualizer
from mmtbps.zoo.models import is_model

from .models import list_models

if TYPE_CHECKING:  # the search itself needs this package
    from mmtbps.search import MetadataSource, Searcher

__all__ = ['TextToPersonInferencer']


class TextToPersonInferencer(BaseInferencer):
    """Finds the images that sentences describe: a :class:`~mmtbps.search.Searcher` with MMPretrain's interface.

    A call runs :meth:`preprocess`, :meth:`forward`, :meth:`visualize` and :meth:`postprocess` with their keyword
    arguments.

    Args:
        model: A name of :meth:`list_models`, such as ``'nam'``; a config or its file; or a searcher, which needs no
            other argument if it has a gallery.
        prototype: Images of the gallery: a folder, image files or a data set, see
            :func:`~mmtbps.search.list_gallery`. Defaults to None: the searcher has a gallery.
        prototype_cache: Folder of the gallery; unchanged images in it are not encoded again. Defaults to None: in
            memory.
        prepare_batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.
        pretrained: File of the weights. Defaults to None: those of the named model, which are fetched if need be.
        device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
        index: Config of a vector index, or its type. Defaults to None: exact search.
        metadata: Metadata of the images, for the argument ``where`` of a call. Defaults to None: only the folder of
            each image.

    Raises:
        FileNotFoundError: If a file or folder is missing.
        ValueError: If weights or gallery are missing, or weights were given to a searcher.

    Example:
        >>> inferencer = TextToPersonInferencer('config.py', 'crops/', pretrained='best.pth')
        >>> inferencer('a woman in a red coat', topk=5, show_dir='shown')[0][0]['path']
        '.../crops/...png'
    """

    forward_kwargs = {'topk', 'rerank', 'min_score', 'where'}
    visualize_kwargs = {'show', 'wait_time', 'show_dir'}

    def __init__(
        self,
        model: 'Config | str | Path | Searcher',
        prototype: str | Path | TBPSDataset | Iterable[str | Path] | None = None,
        prototype_cache: str | Path | None = None,
        prepare_batch_size: int = 64,
        pretrained: str | Path | None = None,
        device: str | torch.device | None = None,
        index: dict | str | None = None,
        metadata: 'MetadataSource | None' = None,
    ) -> None:
        from mmtbps.search import Searcher

        if isinstance(model, Searcher):
            if pretrained is not None or device is not None or index is not None:
                raise ValueError('pretrained, device and index belong to a config; this searcher has its own.')
            self.searcher = model
        elif prototype is None:
            raise ValueError(f'{model} needs prototype, the gallery; only a searcher brings it.')
        elif pretrained is not None:
            self.searcher = Searcher.from_config(model, pretrained, device, index)
        elif isinstance(model, str) and is_model(model):
            self.searcher = Searcher.from_model(model, device, index)
        else:
            raise ValueError(f'{model} needs pretrained, the file of the weights; only models by name bring them.')
        if prototype is not None:
            self.searcher.index(prototype, prototype_cache, metadata=metadata, batch_size=prepare_batch_size)
        elif not len(self.searcher):
            raise ValueError('The searcher has no images; give prototype, the gallery.')
        self.visualizer = TBPSVisualizer()

    def __call__(
        self, inputs: str | Sequence[str], return_datasamples: bool = False, batch_size: int = 64, **kwargs: Any
    ) -> list:
        """Search with sentences.

        Args:
            inputs: A sentence, or several.
            return_datasamples: Whether to return data samples instead of plain values. Defaults to False.
            batch_size: Sentences per batch. Defaults to 64.
            **kwargs: ``topk``, ``rerank``, ``min_score`` and ``where`` of :meth:`mmtbps.search.Searcher.search`;
                ``show``, ``wait_time`` and ``show_dir`` of :meth:`visualize`.

        Returns:
            For every sentence its images, best first, as dictionaries for JSON (``rank``, ``path``, ``score``,
            ``cosine``, ``metadata``), or a data sample, see :meth:`forward`.

        Raises:
            ValueError: As in :meth:`mmtbps.search.Searcher.search`, and for an unknown argument.
        """
        return super().__call__(inputs, return_datasamples, batch_size, **kwargs)

    def _inputs_to_list(self, inputs: str | Sequence[str]) -> list[str]:
        """Put a sentence into a list; other inferencers of MMPretrain would look for a folder of this name."""
        return [inputs] if isinstance(inputs, str) else list(inputs)

    def preprocess(self, inputs: Sequence[str], batch_size: int = 64) -> Iterator[list[str]]:
        """Split sentences into batches."""
        yield from self._get_chunk_data(inputs, batch_size)

    def forward(self, inputs: list[str], **options: Any) -> list[DataSample]:
        """Search with one batch of sentences.

        Args:
            inputs: The sentences.
            **options: See :meth:`__call__`.

        Returns:
            A data sample for every sentence with the fields ``query``, ``results`` (:class:`SearchResult`),
            ``img_path`` (a list of n files) and ``pred_score`` (n,).
        """
        samples = []
        for query, results in zip(inputs, self.searcher.search(inputs, **options), strict=True):
            sample = DataSample(query=query, results=results, img_path=[result.path for result in results])
            sample.set_field(torch.tensor([result.score for result in results]), 'pred_score')
            samples.append(sample)
        return samples

    def visualize(
        self,
        inputs: Sequence[str],
        preds: Sequence[DataSample],
        show: bool = False,
        wait_time: float = 0,
        show_dir: str | Path | None = None,
    ) -> list[np.ndarray | None] | None:
        """Draw the results.

        Args:
            inputs: The sentences.
            preds: Their data samples.
            show: Whether to open a window. Defaults to False.
            wait_time: Seconds that the window stays open. Defaults to 0: until a key is pressed.
            show_dir: Folder for the pictures ``0.png``, ``1.png``, ... Defaults to None: they are not saved.

        Returns:
            The pictures (H, W, 3) uint8, RGB, with None for a sentence without results; None if neither ``show`` nor
            ``show_dir`` is given.
        """
        if not show and show_dir is None:
            return None
        pictures: list[np.ndarray | None] = []
        for number, (query, sample) in enumerate(zip(inputs, preds, strict=True)):
            picture = None
            if sample.img_path:
                file = None if show_dir is None else Path(show_dir) / f'{number}.png'
                scores = sample.pred_score.tolist()
                picture = self.visualizer.add_ranked_list(str(number), query, sample.img_path, scores, out_file=file)
                if show:
                    self.visualizer.show(picture, win_name=query, wait_time=wait_time)
            pictures.append(picture)
        return pictures

    def postprocess(
        self, preds: list[DataSample], visualization: list | None, return_datasamples: bool = False
    ) -> list[DataSample] | list[list[dict[str, Any]]]:
        """Convert data samples to plain values, unless data samples are asked for; neither contains pictures."""
        return preds if return_datasamples else [[result.to_dict() for result in sample.results] for sample in preds]

    @staticmethod
    def list_models(pattern: str | None = None) -> list[str]:
        """List the models of this library; see :func:`mmtbps.list_models`.

        Args:
            pattern: Pattern of the names, with ``*`` for any characters. Defaults to None: all.
        """
        return list_models(pattern)
