"""Type a sentence, get the person."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmtbps.core.checks import positive
from mmtbps.evaluation.functional.neighbors import largest
from mmtbps.evaluation.rerankers import Reranker
from mmtbps.registry import RERANKERS

from .encoders import Encoder, ModelEncoder
from .encoders.base import ImageSource
from .filters import WhereLike, parse_where
from .gallery import Gallery
from .indexes import RowFilter
from .listing import Images
from .metadata import MetadataSource
from .ranking import Ranking, rank, rerank
from .results import CaptionResult, IndexReport, SearchResult
from .store import GalleryStore

__all__ = ['Searcher']


class Searcher:
    """Searches a gallery of images with sentences or images.

    Three parts, each replaceable: an encoder makes features (``ENCODERS``), a gallery stores them, an index finds the
    nearest of them (``INDEXES``).

    Args:
        encoder: What makes features, or its config.
        index: What finds them: the config of an index, or its type alone. Defaults to None: what the loaded gallery
            had, else ``'ExactIndex'``.

    Attributes:
        gallery (Gallery): The images, with what adds and removes them.

    Example:
        >>> searcher = Searcher.from_config('config.py', 'best.pth')  # doctest: +SKIP
        >>> searcher.index('crops/')  # doctest: +SKIP
        >>> searcher.search('a woman in a red coat with a white bag', topk=5)  # doctest: +SKIP
    """

    def __init__(self, encoder: Encoder | dict, index: dict | str | None = None) -> None:
        self.gallery = Gallery(encoder, index)

    def __len__(self) -> int:
        """Images in the gallery."""
        return len(self.gallery)

    @property
    def encoder(self) -> Encoder:
        """What makes the gallery's features, and those of queries."""
        return self.gallery.encoder

    @classmethod
    def from_config(
        cls,
        config: Config | str | Path,
        checkpoint: str | Path,
        device: str = 'cpu',
        index: dict | str | None = None,
    ) -> 'Searcher':
        """Make an empty gallery for a trained model.

        Args:
            config: The config or its file.
            checkpoint: The weights; words and sizes that training decided are read from it.
            device: Where the model runs. Defaults to ``'cpu'``.
            index: See :class:`Searcher`.

        Returns:
            The searcher.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If config and checkpoint do not fit together.
        """
        return cls(ModelEncoder(config, checkpoint, device), index)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | dict | None = None,
        checkpoint: str | Path | None = None,
        device: str = 'cpu',
        index: dict | str | None = None,
    ) -> 'Searcher':
        """Open a gallery that was saved.

        Args:
            folder: Its folder.
            encoder: The model it was made with. Defaults to None: as noted in the folder.
            checkpoint: Where the weights are now, if they have been moved. Defaults to None: as noted.
            device: Where the model runs. Defaults to ``'cpu'``.
            index: Another way to find features than it had; it is built now. Defaults to None: the gallery's own.

        Returns:
            The searcher.

        Raises:
            FileNotFoundError: If there is no gallery or its model is gone.
            ValueError: If it cannot be read, or another model made it.
        """
        store = GalleryStore.load(folder)
        if encoder is None:
            encoder = dict(store.extra['encoder'], device=device)
            if checkpoint is not None:
                encoder['checkpoint'] = str(checkpoint)
            elif 'checkpoint' in encoder and not Path(encoder['checkpoint']).is_file():
                raise FileNotFoundError(
                    f'The weights that {folder} was made with are no longer at {encoder["checkpoint"]}. Say where they '
                    'are now (--checkpoint).'
                )
        searcher = cls(encoder, index)
        searcher.gallery.use(store)
        return searcher

    def index(
        self, images: Images, out: str | Path | None = None, metadata: MetadataSource | None = None, **options: Any
    ) -> IndexReport:
        """Bring the gallery up to date with images; see :meth:`Gallery.index`, which takes the same arguments."""
        return self.gallery.index(images, out, metadata, **options)

    def save(self, folder: str | Path) -> None:
        """Write the gallery to a folder; see :meth:`Gallery.save`."""
        self.gallery.save(folder)

    def search(
        self,
        query: str | Sequence[str],
        topk: int = 10,
        rerank: dict | str | None = None,
        min_score: float | None = None,
        where: WhereLike | None = None,
    ) -> Any:
        """Find the images that sentences describe.

        Args:
            query: A sentence, or several.
            topk: How many images. Defaults to 10.
            rerank: A re-ranker of ``RERANKERS``, as config or type alone. Defaults to None: by cosine.
            min_score: The least cosine that counts as an answer, so that there may be none. Defaults to None: all do.
            where: Conditions on what is known of the images, such as ``'camera = c1'``; see ``WhereLike``.

        Returns:
            A list of :class:`SearchResult`, the best first; for several sentences a list of such lists.

        Raises:
            TypeError: If a query is no string.
            ValueError: If a sentence has no word that the model knows, the gallery has less than ``topk`` images, or a
                condition is none.
        """
        sentences = [query] if isinstance(query, str) else list(query)
        features = self.encoder.encode_texts(sentences)
        self.encoder.require_known_words(sentences)
        found = self.search_features(features, topk, rerank, min_score, where)
        return found[0] if isinstance(query, str) else found

    def search_by_image(self, image: ImageSource, **options: Any) -> list[SearchResult]:
        """Find the images that resemble an image.

        Args:
            image: A file, or a picture (H, W, 3) uint8, BGR. An image of the gallery finds itself first.
            options: ``topk``, ``rerank``, ``min_score`` and ``where`` of :meth:`search`.

        Returns:
            The images, the best first.

        Raises:
            OSError: If the image cannot be read.
            ValueError: As :meth:`search` does.
        """
        return self.search_features(self.encoder.encode_images([image]), **options)[0]

    def rank_captions(self, image: ImageSource, captions: Sequence[str], topk: int = 10) -> list[CaptionResult]:
        """Find the sentences that describe an image best.

        Args:
            image: A file, or a picture (H, W, 3) uint8, BGR.
            captions: The sentences to choose from.
            topk: How many. Defaults to 10; fewer sentences are all ranked.

        Returns:
            The sentences, the best first; equal ones keep their order.
        """
        scores = self.encoder.encode_images([image]) @ self.encoder.encode_texts(captions).T
        best = largest(scores, positive(topk, 'topk'))[0]
        return [CaptionResult(rank, captions[n], float(scores[0, n])) for rank, n in enumerate(best.tolist(), start=1)]

    def search_features(
        self,
        features: Tensor,
        topk: int = 10,
        rerank: dict | str | None = None,
        min_score: float | None = None,
        where: WhereLike | None = None,
    ) -> list[list[SearchResult]]:
        """Find the images nearest to features (Q, D) of this gallery's encoder; see :meth:`search`."""
        if not len(self):
            raise ValueError('The gallery is empty; index some images first.')
        if positive(topk, 'topk') > len(self):
            raise ValueError(f'topk is {topk}, but the gallery has {len(self)} images; ask for at most that many.')
        if min_score is not None and math.isnan(min_score):
            raise ValueError('min_score must be a number, got nan; cosines are between -1 and 1.')
        selection = RowFilter(self.gallery.store, parse_where(where))
        answers = self._rank(features, topk, selection, rerank)
        return [self._results(answer, min_score) for answer in answers]

    def _rank(self, features: Tensor, topk: int, selection: RowFilter, method: dict | str | None) -> list[Ranking]:
        if method is None:
            return rank(self.gallery.store, self.gallery.vectors, features, topk, selection)
        return rerank(self.gallery.store, self.gallery.vectors, features, topk, selection, _reranker(method))

    def _results(self, answer: Ranking, min_score: float | None) -> list[SearchResult]:
        found = [
            (self.gallery.store.images[row], score, cosine)
            for row, score, cosine in zip(*(values.tolist() for values in answer), strict=True)
            if min_score is None or cosine >= min_score
        ]
        return [
            SearchResult(place, image.path, score, cosine, image.metadata)
            for place, (image, score, cosine) in enumerate(found, start=1)
        ]


def _reranker(method: dict | str) -> Reranker:
    config = dict(type=method) if isinstance(method, str) else dict(method)
    if isinstance(config.get('type'), str) and RERANKERS.get(config['type']) is None:
        known = ', '.join(sorted(RERANKERS.module_dict))
        raise ValueError(f'There is no re-ranker {config["type"]!r}; known are {known}.')
    return RERANKERS.build(config)
