"""Search of a gallery with sentences or images."""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmtbps.core.checks import positive
from mmtbps.data_configs import registered
from mmtbps.evaluation.functional.neighbors import largest
from mmtbps.evaluation.rerankers import Reranker
from mmtbps.registry import RERANKERS
from mmtbps.zoo import require_named

from .encoders import Encoder, ModelEncoder
from .encoders.base import ImageSource
from .encoders.rebuild import rebuild_encoder
from .filters import WhereLike, parse_where
from .gallery import Gallery
from .generations import MANIFEST
from .indexes import RowFilter
from .listing import Images
from .metadata import MetadataSource
from .ranking import Ranking, rank, rerank
from .results import CaptionResult, IndexReport, SearchResult
from .store import GalleryStore

__all__ = ['Searcher']

_SCREEN = 10
"""Images of an answer, if nobody says how many."""


class Searcher:
    """Searches a gallery of images with sentences or images.

    It has three parts: an encoder computes features (registry ``ENCODERS``), a gallery stores them, and a vector index
    finds the nearest ones (registry ``INDEXES``).

    Args:
        encoder: The encoder, or its config.
        index: Config of a vector index, or its type alone. Defaults to None: the index of the loaded gallery, or
            ``'ExactIndex'`` for a new one.
        store: A stored gallery to continue; :meth:`load` reads one. Defaults to None: an empty one in memory.
        trusted_modules: Modules that a stored gallery may have imported. Defaults to none.

    Attributes:
        gallery: The images; its methods add and remove them.

    Example:
        >>> searcher = Searcher.from_config('config.py', 'best.pth')
        >>> summary = searcher.index('crops/')
        >>> results = searcher.search('a woman in a red coat with a white bag', topk=5)
        >>> results[0].path
        '.../crops/...png'
    """

    def __init__(
        self,
        encoder: Encoder | dict,
        index: dict | str | None = None,
        store: GalleryStore | None = None,
        trusted_modules: Sequence[str] = (),
    ) -> None:
        self.gallery = Gallery(encoder, index, store, trusted_modules)

    def __len__(self) -> int:
        """Number of images in the gallery."""
        return len(self.gallery)

    @property
    def encoder(self) -> Encoder:
        """The encoder of images and queries."""
        return self.gallery.encoder

    @property
    def store(self) -> GalleryStore:
        """The features and images of the gallery."""
        return self.gallery.store

    @classmethod
    def from_config(
        cls,
        config: Config | str | Path,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        index: dict | str | None = None,
    ) -> 'Searcher':
        """Create a searcher with an empty gallery for a trained model.

        Args:
            config: The config or its file.
            checkpoint: File of the weights; the vocabulary and sizes set by the training data are read from it.
            device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
            index: See :class:`Searcher`. Defaults to None.

        Returns:
            The searcher.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If config and checkpoint do not fit together.
        """
        return cls(ModelEncoder(config, checkpoint, device), index)

    @classmethod
    def from_model(
        cls, name: str, device: str | torch.device | None = None, index: dict | str | None = None
    ) -> 'Searcher':
        """Create a searcher with an empty gallery for a model by name, with no training.

        Args:
            name: A name of :func:`mmtbps.list_models`, such as ``'nam'``, whose weights are fetched if need be; one of
                open_clip's models with a tag or a file, such as ``'clip-vit-b16@laion2b_s34b_b88k'``; or the folder of
                a training.
            device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
            index: See :class:`Searcher`. Defaults to None.

        Returns:
            The searcher.

        Raises:
            FileNotFoundError: If the weights are not here and cannot be fetched; says how to get them.
            ValueError: If there is no such model.
        """
        return cls.from_config(*require_named(name), device, index)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | dict | None = None,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        index: dict | str | None = None,
        trusted_modules: Sequence[str] = (),
    ) -> 'Searcher':
        """Open a saved gallery. It may come from a stranger: what its files say is checked and never run.

        Args:
            folder: Folder of the gallery.
            encoder: The encoder of its features. Defaults to None: built from the config stored in the folder.
            checkpoint: File of the weights, if it has been moved. Defaults to None: the path stored in the folder.
            device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
            index: Another vector index, which is built now; or, without a type, further arguments of the gallery's
                own, such as ``dict(uri='http://host:19530')`` for one on a server: an address in the folder is not
                followed. Defaults to None: the gallery's own.
            trusted_modules: Modules that the gallery's own classes are from, such as ``['wardrobe']``, with all inside
                them. Defaults to none, since importing a module runs its code.

        Returns:
            The searcher.

        Raises:
            FileNotFoundError: If the folder holds no gallery, or the weights are missing.
            ImportError: If a trusted module cannot be imported.
            ValueError: If the gallery cannot be read, its features come from another model, or it needs a module that
                is not trusted or the address of a server.
        """
        store = GalleryStore.load(folder)
        if encoder is None:
            encoder = rebuild_encoder(store.extra, Path(folder) / MANIFEST, device, checkpoint, trusted_modules)
        return cls(encoder, index, store, trusted_modules)

    def index(
        self, images: Images, out: str | Path | None = None, metadata: MetadataSource | None = None, **options: Any
    ) -> IndexReport:
        """Update the gallery with images; see :meth:`Gallery.index`, which takes the same arguments."""
        return self.gallery.index(images, out, metadata, **options)

    def save(self, folder: str | Path) -> None:
        """Write the gallery to a folder; see :meth:`Gallery.save`."""
        self.gallery.save(folder)

    def close(self) -> None:
        """Release files and connections; see :meth:`Gallery.close`."""
        self.gallery.close()

    def search(
        self,
        query: str | Sequence[str],
        topk: int | None = None,
        rerank: dict | str | None = None,
        min_score: float | None = None,
        where: WhereLike | None = None,
    ) -> Any:
        """Find the images that sentences describe.

        Args:
            query: A sentence, or several.
            topk: Number of images; all if there are fewer. Defaults to None: 10, a screen of results.
            rerank: Config of a re-ranker of the registry ``RERANKERS``, or its type alone. Defaults to None: ranking by
                cosine.
            min_score: Lowest cosine of a result, so that there may be none. Defaults to None: no threshold.
            where: Conditions on the metadata of the images, such as ``'camera = c1'``; see ``WhereLike``. Defaults to
                None: no condition.

        Returns:
            A list of :class:`SearchResult`, best first; for several sentences a list of such lists.

        Raises:
            TypeError: If a query is not a string.
            ValueError: If the model knows no word of a sentence, or an argument or condition is invalid.
        """
        sentences = [query] if isinstance(query, str) else list(query)
        features = self.encoder.encode_texts(sentences)
        self.encoder.require_known_words(sentences)
        found = self.search_features(features, topk, rerank, min_score, where)
        return found[0] if isinstance(query, str) else found

    def search_by_image(self, image: ImageSource, **options: Any) -> list[SearchResult]:
        """Find the images that are similar to an image.

        Args:
            image: A file, or an array (H, W, 3) uint8, BGR. An image of the gallery finds itself first.
            **options: ``topk``, ``rerank``, ``min_score`` and ``where`` of :meth:`search`.

        Returns:
            The images, best first.

        Raises:
            OSError: If the image cannot be read.
            ValueError: As :meth:`search` does.
        """
        return self.search_features(self.encoder.encode_images([image]), **options)[0]

    def rank_captions(self, image: ImageSource, captions: Sequence[str], topk: int = 10) -> list[CaptionResult]:
        """Find the sentences that describe an image best.

        Args:
            image: A file, or an array (H, W, 3) uint8, BGR.
            captions: The sentences to rank.
            topk: Number of results, at most all sentences. Defaults to 10, as in :meth:`search`.

        Returns:
            The sentences, best first; ties keep their order.
        """
        scores = self.encoder.encode_images([image]) @ self.encoder.encode_texts(captions).T
        best = largest(scores, positive(topk, 'topk'))[0]
        return [CaptionResult(rank, captions[n], float(scores[0, n])) for rank, n in enumerate(best.tolist(), start=1)]

    def search_features(
        self,
        features: Tensor,
        topk: int | None = None,
        rerank: dict | str | None = None,
        min_score: float | None = None,
        where: WhereLike | None = None,
    ) -> list[list[SearchResult]]:
        """Find the images nearest to features (Q, D) of this gallery's encoder; see :meth:`search`."""
        if not len(self):
            raise ValueError('The gallery is empty; index some images first.')
        topk = min(_SCREEN if topk is None else positive(topk, 'topk'), len(self))
        if min_score is not None and not (isinstance(min_score, Real) and min_score == min_score):
            raise ValueError(f'min_score must be a number, got {min_score!r:.80}; cosines are between -1 and 1.')
        row_filter = RowFilter(self.gallery.store, parse_where(where))
        rankings = self._rank(features, topk, row_filter, rerank)
        return [self._results(ranking, min_score) for ranking in rankings]

    def _rank(self, features: Tensor, topk: int, row_filter: RowFilter, method: dict | str | None) -> list[Ranking]:
        if method is None:
            return rank(self.gallery.store, self.gallery.vectors, features, topk, row_filter)
        return rerank(self.gallery.store, self.gallery.vectors, features, topk, row_filter, _reranker(method))

    def _results(self, ranking: Ranking, min_score: float | None) -> list[SearchResult]:
        found = [
            (self.gallery.store.images[row], score, cosine)
            for row, score, cosine in zip(*(values.tolist() for values in ranking), strict=True)
            if min_score is None or cosine >= min_score
        ]
        return [
            SearchResult(place, image.path, score, cosine, image.metadata)
            for place, (image, score, cosine) in enumerate(found, start=1)
        ]


def _reranker(method: dict | str) -> Reranker:
    config = dict(type=method) if isinstance(method, str) else dict(method)
    # The name may come from a visitor of a web page.
    if isinstance(config.get('type'), str) and registered(RERANKERS, config['type']) is None:
        known = ', '.join(sorted(RERANKERS.module_dict))
        raise ValueError(f'There is no re-ranker {config["type"]!r}; known are {known}.')
    return RERANKERS.build(config)
