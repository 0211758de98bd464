"""Type a sentence, get the person."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmtbps.datasets.base import TBPSDataset
from mmtbps.evaluation.functional.checks import positive
from mmtbps.evaluation.functional.neighbors import largest
from mmtbps.evaluation.rerankers import Reranker
from mmtbps.registry import ENCODERS, INDEXES, RERANKERS
from mmtbps.version import __version__

from .comparison import compare
from .encoders import Encoder, ModelEncoder
from .encoders.base import ImageSource
from .gallery import list_gallery
from .indexes import Selection, VectorIndex
from .indexing import apply_difference, sole_writer
from .metadata import MetadataSource
from .ranking import Ranking, rank, rerank
from .results import CaptionResult, IndexReport, SearchResult
from .store import MANIFEST, GalleryStore
from .where import WhereLike, parse_where

__all__ = ['Searcher']


class Searcher:
    """A gallery of images that is searched with sentences or images.

    Three parts, each replaceable: an encoder makes features (``ENCODERS``), a gallery stores them, an index finds the
    nearest of them (``INDEXES``).

    Args:
        encoder: What makes features, or its config.
        index: What finds them: the config of an index, or its type alone. Defaults to None: what the loaded gallery
            had, else ``'ExactIndex'``.

    Example:
        >>> searcher = Searcher.from_config('config.py', 'best.pth')  # doctest: +SKIP
        >>> searcher.index('crops/')  # doctest: +SKIP
        >>> searcher.search('a woman in a red coat with a white bag', topk=5)  # doctest: +SKIP
    """

    def __init__(self, encoder: Encoder | dict, index: dict | str | None = None) -> None:
        self.encoder: Encoder = ENCODERS.build(dict(encoder)) if isinstance(encoder, Mapping) else encoder
        self._asked = dict(type=index) if isinstance(index, str) else index
        self._use(GalleryStore(self.encoder.fingerprint))

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
            noted = dict(store.extra['encoder'], device=device)
            encoder = dict(noted, checkpoint=str(checkpoint)) if checkpoint is not None else noted
        searcher = cls(encoder, index)
        searcher._use(store)
        return searcher

    def __len__(self) -> int:
        """Images in the gallery."""
        return len(self.store)

    def save(self, folder: str | Path) -> None:
        """Write the gallery to a folder, which is the gallery's from then on: later changes go there at once.

        Raises:
            FileExistsError: If the folder has another gallery.
        """
        self.store.save(folder)
        self._sync()

    def close(self) -> None:
        """Let go of files and connections, so that another process may have them."""
        self.vectors.close()

    def index(
        self,
        images: str | Path | TBPSDataset | Iterable[str | Path],
        out: str | Path | None = None,
        metadata: MetadataSource | None = None,
        batch_size: int = 64,
        num_workers: int = 2,
        block_size: int = 2048,
        progress: bool = True,
    ) -> IndexReport:
        """Bring the gallery up to date with a folder, a list of images or a data set.

        New images are encoded; so are those whose file changed, by size or time. Unchanged ones are not looked at. Of a
        folder, images that are gone leave the gallery. Broken images are passed over and listed in the report.

        Args:
            images: See :func:`list_gallery`.
            out: The gallery's folder: features are written there block by block, and what is there already is kept.
                Defaults to None: where the gallery is now, in memory at first.
            metadata: Facts by image, for filters. Defaults to None: the folder alone.
            batch_size: Images encoded at a time. Defaults to 64.
            num_workers: Processes that load images; 0 loads in this one. Defaults to 2.
            block_size: Images in a block, the most that a kill can lose. Defaults to 2048, half a minute on one core.
            progress: Whether to draw a progress bar on the error stream. Defaults to True.

        Returns:
            What was done.

        Raises:
            FileNotFoundError: If images are missing.
            ValueError: If there is no image or all are broken, or the folder has features of another model.
            RuntimeError: If another process is writing the folder.
        """
        listed = list_gallery(images, metadata)
        folder = str(images) if isinstance(images, str | Path) and Path(images).is_dir() else None
        if out is not None:
            self._settle(Path(out))
        with sole_writer(self.store.folder):
            difference = compare(self.store, listed, folder, metadata is not None)
            report = apply_difference(
                self.store, self.encoder, difference, batch_size, num_workers, block_size, progress
            )
            self._sync()
        if not len(self):
            raise ValueError(f'None of the {len(listed)} images could be read. {report}')
        return report

    def remove(self, paths: Iterable[str | Path]) -> int:
        """Take images out of the gallery; their files stay.

        Args:
            paths: Image files, or folders: all images below them.

        Returns:
            How many left.

        Raises:
            KeyError: If nothing of the gallery is meant by one of them.
        """
        chosen: dict[str, None] = {}
        for path in paths:
            absolute = str(Path(path).absolute())
            below = [stored for stored in self.store.paths() if stored == absolute or stored.startswith(absolute + '/')]
            if not below:
                raise KeyError(f'{path} is not in the gallery.')
            chosen.update(dict.fromkeys(below))
        with sole_writer(self.store.folder):
            self.store.remove(chosen)
            self.store.commit()
            self._sync()
        return len(chosen)

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
            ValueError: If a sentence has no word, the gallery has less than ``topk`` images, or a condition is none.
        """
        sentences = [query] if isinstance(query, str) else list(query)
        features = self.encoder.encode_texts(sentences)
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
        selection = Selection(self.store, parse_where(where))
        answers = self._rank(features, topk, selection, rerank)
        return [self._results(answer, min_score) for answer in answers]

    def _rank(self, features: Tensor, topk: int, selection: Selection, method: dict | str | None) -> list[Ranking]:
        if method is None:
            return rank(self.store, self.vectors, features, topk, selection)
        reranker: Reranker = RERANKERS.build(dict(type=method) if isinstance(method, str) else dict(method))
        return rerank(self.store, self.vectors, features, topk, selection, reranker)

    def _results(self, answer: Ranking, min_score: float | None) -> list[SearchResult]:
        found = [
            (self.store.images[row], score, cosine)
            for row, score, cosine in zip(*(values.tolist() for values in answer), strict=True)
            if min_score is None or cosine >= min_score
        ]
        return [
            SearchResult(place, image.path, score, cosine, image.metadata)
            for place, (image, score, cosine) in enumerate(found, start=1)
        ]

    def _use(self, store: GalleryStore) -> None:
        """Take over a gallery, and the index it asks for unless another was asked for."""
        self.encoder.fingerprint.require(store.fingerprint, f'The gallery {store.folder}')
        self.store = store
        config = self._asked or store.extra.get('index') or dict(type='ExactIndex')
        store.extra.update(index=dict(config), encoder=self.encoder.describe(), version=__version__)
        self.vectors: VectorIndex = INDEXES.build(dict(config))
        if store.num_rows:
            self._sync()

    def _settle(self, folder: Path) -> None:
        """Go on in a folder: with the gallery that is there, or with this one, written there."""
        if self.store.folder is None and not len(self) and (folder / MANIFEST).exists():
            self._use(GalleryStore.load(folder))
        elif self.store.folder is None or self.store.folder.absolute() != folder.absolute():
            self.store.save(folder)

    def _sync(self) -> None:
        self.vectors.sync(self.store, self.store.folder)
