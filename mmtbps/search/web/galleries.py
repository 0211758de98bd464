"""The galleries of the web page, and what it shows for a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from mmtbps.core.text import printable
from mmtbps.datasets.transforms import LoadPersonImage

from ..query_notes import note_on
from ..results import SearchResult
from ..searcher import Searcher
from .uploads import UploadLimits, keep_upload

__all__ = ['MAX_SENTENCE', 'Answer', 'Galleries', 'Hit']

MAX_SENTENCE = 1000
"""Longest sentence in characters: the longest of CUHK-PEDES has some 600, and models truncate at some hundred words."""

_SHOWN_HEIGHT = 384


@dataclass(frozen=True)
class Hit:
    """An image to show: its path in the gallery, its pixels (H, W, 3) uint8, RGB, and the text below it."""

    path: str
    picture: np.ndarray
    caption: str


@dataclass(frozen=True)
class Answer:
    """What the page shows after a query or an upload.

    Args:
        message: A message to the visitor, plain text.
        hits: The images, best first. Defaults to none.
        query: The query image, RGB. Defaults to None: the query was a sentence.
        failed: Whether the message reports an error. Defaults to False.
    """

    message: str
    hits: Sequence[Hit] = field(default_factory=list)
    query: np.ndarray | None = None
    failed: bool = False


class Galleries:
    """One or more searchers by name, used by one visitor at a time.

    Mistakes of a visitor raise no exception; the answer's message explains them.

    Args:
        searchers: The searchers by name; each needs a folder if images may be added.
        limits: Limits of uploads. Defaults to None: images cannot be added.

    Raises:
        ValueError: If there is no searcher, one has no image, or images may be added to one without a folder.
    """

    def __init__(self, searchers: Mapping[str, Searcher], limits: UploadLimits | None = None) -> None:
        if not searchers:
            raise ValueError('The page needs at least one gallery.')
        for name, searcher in searchers.items():
            if not len(searcher):
                raise ValueError(f'The gallery {name} is empty; index some images first.')
            if limits is not None and searcher.gallery.store.folder is None:
                raise ValueError(
                    f'The gallery {name} is in memory, so that uploads cannot be kept; save it or set limits=None.'
                )
        self.searchers = dict(searchers)
        self.limits = limits
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        folders: Sequence[str | Path],
        checkpoint: str | Path | None = None,
        device: str | None = None,
        limits: UploadLimits | None = None,
        index: dict | None = None,
        trusted_modules: Sequence[str] = (),
    ) -> 'Galleries':
        """Open saved galleries; each is named after its folder, or by its whole path if two folders have one name.

        Args:
            folders: Folders of the galleries.
            checkpoint: File of the weights, if it has been moved. Defaults to None: the paths stored in the folders.
            device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
            limits: See :class:`Galleries`. Defaults to None: images cannot be added.
            index: See :meth:`Searcher.load`, for all galleries. Defaults to None.
            trusted_modules: See :meth:`Searcher.load`. Defaults to none.

        Raises:
            FileNotFoundError: If a folder holds no gallery or its weights are missing.
            ValueError: If a gallery cannot be read or is empty.
        """
        paths = list(dict.fromkeys(Path(folder).absolute() for folder in folders))
        names = [path.name for path in paths]
        return cls(
            {
                path.name if names.count(path.name) == 1 else str(path): Searcher.load(
                    path, checkpoint=checkpoint, device=device, index=index, trusted_modules=trusted_modules
                )
                for path in paths
            },
            limits,
        )

    def by_sentence(self, name: str, sentence: str | None, topk: int, rerank: str | None) -> Answer:
        """Search with a sentence.

        Args:
            name: Name of the gallery.
            sentence: What the visitor typed.
            topk: Number of images; a smaller gallery is shown completely.
            rerank: Type of a re-ranker, or None.
        """
        sentence = ' '.join((sentence or '').split())
        if not any(letter.isalnum() for letter in sentence):
            return Answer('Describe the person first: clothes and their colours, hair, bags, shoes.', failed=True)
        if len(sentence) > MAX_SENTENCE:
            told = f'The sentence has {len(sentence)} characters; shorten it to at most {MAX_SENTENCE}.'
            return Answer(told, failed=True)
        searcher = self.searchers[name]
        notes = note_on(searcher.encoder, sentence)
        try:
            with self._lock:
                searcher.gallery.refresh()
                results = searcher.search(sentence, min(topk, len(searcher)), rerank)
        except (OSError, RuntimeError, ValueError) as error:
            if not notes.unknown:
                return Answer(f'The search failed: {error}', failed=True)
            known_none = ['The model knows none of these words; describe the person in plain English.', *notes.lines]
            return Answer('\n'.join(known_none), failed=True)
        return Answer(
            '\n'.join([f'{_count(results, searcher)} for: {sentence}', *notes.lines]), [_hit(one) for one in results]
        )

    def by_image(self, name: str, path: str, topk: int, rerank: str | None) -> Answer:
        """Search with an image of the gallery; see :meth:`by_sentence` for the arguments."""
        searcher = self.searchers[name]
        if path not in searcher.gallery.store:
            return Answer('This image is not in the chosen gallery; search again.', failed=True)
        try:
            with self._lock:
                searcher.gallery.refresh()
                results = searcher.search_by_image(path, topk=min(topk, len(searcher)), rerank=rerank)
        except (OSError, RuntimeError, ValueError):
            return Answer(f'The image {printable(Path(path).name)} cannot be read any more.', failed=True)
        message = f'{_count(results, searcher)} like {printable(Path(path).name)}'
        return Answer(message, [_hit(result) for result in results], _picture(path))

    def add(self, name: str, files: Sequence[str | Path]) -> Answer:
        """Add uploaded files to a gallery; they are stored in the folder ``uploads`` of the gallery.

        Args:
            name: Name of the gallery.
            files: The uploaded files.
        """
        searcher = self.searchers[name]
        folder = searcher.gallery.store.folder
        if self.limits is None or folder is None:
            return Answer('Images cannot be added to this gallery.', failed=True)
        if len(files) > self.limits.files:
            return Answer(f'{len(files)} files are too many; at most {self.limits.files} at a time.', failed=True)
        kept, refused = [], []
        for file in files:
            try:
                kept.append(keep_upload(file, folder.absolute() / 'uploads', self.limits))
            except ValueError as error:
                refused.append(str(error))
        told = []
        if kept:
            try:
                with self._lock:
                    report = searcher.index(kept, num_workers=0, progress=False)
            except (OSError, RuntimeError, ValueError) as error:
                return Answer(f'The images could not be added: {error}', failed=True)
            told.append(f'{report.added} added to {name}, which has {len(searcher)} images now.')
            if report.unchanged:
                told.append(f'{report.unchanged} there already.')
        hits = [Hit(str(path), _picture(path), 'added') for path in kept]
        return Answer('\n'.join([*told, *refused]) or 'Choose images first.', hits, failed=not kept)


def _count(results: Sequence[SearchResult], searcher: Searcher) -> str:
    return f'The best {len(results)} of {len(searcher)} images'


def _hit(result: SearchResult) -> Hit:
    person = result.metadata.get('person_id')
    caption = f'{result.rank} · {result.score:.3f}' + ('' if person is None else f'\nperson {printable(str(person))}')
    return Hit(result.path, _picture(result.path), caption)


def _picture(path: str | Path) -> np.ndarray:
    """Load an image as the encoder does, RGB, scaled down to the shown height; grey if the file is gone."""
    try:
        picture = LoadPersonImage().transform(dict(img_path=str(path)))['img']
    except OSError:
        return np.full((_SHOWN_HEIGHT, _SHOWN_HEIGHT // 3, 3), 128, dtype=np.uint8)
    scale = _SHOWN_HEIGHT / picture.shape[0]
    if scale < 1:
        size = max(round(picture.shape[1] * scale), 1), _SHOWN_HEIGHT
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[..., ::-1])
