"""The galleries of the page, and its answers in plain words and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from mmtbps.datasets.transforms import LoadPersonImage

from ..results import SearchResult
from ..searcher import Searcher
from .uploads import UploadLimits, keep_upload

__all__ = ['MAX_SENTENCE', 'Answer', 'Galleries', 'Hit']

MAX_SENTENCE = 1000
"""Characters of a sentence: the longest of CUHK-PEDES has some 600; models cut at some hundred words anyway."""

_SHOWN_HEIGHT = 384


@dataclass(frozen=True)
class Hit:
    """An image of an answer: its path in the gallery, picture (H, W, 3) uint8, RGB, and what to write below it."""

    path: str
    picture: np.ndarray
    caption: str


@dataclass(frozen=True)
class Answer:
    """What the page shows next.

    Args:
        message: A sentence for the visitor, plain text.
        hits: The images, best first. Defaults to none.
        query: The picture that was searched with, RGB. Defaults to None: a sentence was.
        failed: Whether the message says what to do better. Defaults to False.
    """

    message: str
    hits: Sequence[Hit] = field(default_factory=list)
    query: np.ndarray | None = None
    failed: bool = False


class Galleries:
    """One or more searchers by name, asked by one visitor at a time.

    Nothing here raises for what a visitor does: the answer's message says what is wrong.

    Args:
        searchers: The searchers; each has a folder if images may be added.
        limits: What may be added. Defaults to None: nothing.

    Raises:
        ValueError: If there is no searcher, one has no image, or images may be added to one without a folder.
    """

    def __init__(self, searchers: Mapping[str, Searcher], limits: UploadLimits | None = None) -> None:
        if not searchers:
            raise ValueError('The page needs at least one index.')
        for name, searcher in searchers.items():
            if not len(searcher):
                raise ValueError(f'The index {name} is empty; index some images first.')
            if limits is not None and searcher.gallery.store.folder is None:
                raise ValueError(f'The index {name} is in memory, where nothing can be added; save it, or allow none.')
        self.searchers = dict(searchers)
        self.limits = limits
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        folders: Sequence[str | Path],
        checkpoint: str | Path | None = None,
        device: str = 'cpu',
        limits: UploadLimits | None = None,
    ) -> 'Galleries':
        """Open saved galleries; each is named after its folder, with the folders above where that is not enough.

        Args:
            folders: Folders of indexes.
            checkpoint: Where the weights are now, if they have been moved. Defaults to None: as noted.
            device: Where the model runs. Defaults to ``'cpu'``.
            limits: See :class:`Galleries`.

        Raises:
            FileNotFoundError: If there is no gallery or its model is gone.
            ValueError: If it cannot be read or is empty.
        """
        paths = list(dict.fromkeys(Path(folder).absolute() for folder in folders))
        names = [path.name for path in paths]
        return cls(
            {
                path.name if names.count(path.name) == 1 else str(path): Searcher.load(
                    path, checkpoint=checkpoint, device=device
                )
                for path in paths
            },
            limits,
        )

    def by_sentence(self, name: str, sentence: str | None, topk: int, rerank: str | None) -> Answer:
        """Answer a sentence.

        Args:
            name: The gallery.
            sentence: What the visitor typed.
            topk: Images wanted; a smaller gallery is shown as a whole.
            rerank: Type of a re-ranker, or None.
        """
        sentence = ' '.join((sentence or '').split())
        if not any(letter.isalnum() for letter in sentence):
            return Answer('Describe the person first: clothes and their colours, hair, bags, shoes.', failed=True)
        if len(sentence) > MAX_SENTENCE:
            told = f'The sentence has {len(sentence)} characters; shorten it to at most {MAX_SENTENCE}.'
            return Answer(told, failed=True)
        searcher = self.searchers[name]
        unknown = list(dict.fromkeys(searcher.encoder.unknown_words(sentence)))
        try:
            with self._lock:
                results = searcher.search(sentence, min(topk, len(searcher)), rerank)
        except (OSError, RuntimeError, ValueError) as error:
            known_none = 'The model knows none of these words; describe the person in plain English.'
            return Answer(known_none if unknown else f'The search failed: {error}', failed=True)
        message = f'{_count(results, searcher)} for: {sentence}'
        if unknown:
            message += f'\nWords that the model does not know: {", ".join(unknown)}'
        return Answer(message, [_hit(result) for result in results])

    def by_image(self, name: str, path: str, topk: int, rerank: str | None) -> Answer:
        """Answer an image of the gallery; arguments as :meth:`by_sentence` has them."""
        searcher = self.searchers[name]
        if path not in searcher.gallery.store:
            return Answer('This image is not in the chosen index; search again.', failed=True)
        try:
            with self._lock:
                results = searcher.search_by_image(path, topk=min(topk, len(searcher)), rerank=rerank)
        except (OSError, RuntimeError, ValueError):
            return Answer(f'The image {Path(path).name} cannot be read any more.', failed=True)
        message = f'{_count(results, searcher)} like {Path(path).name}'
        return Answer(message, [_hit(result) for result in results], _picture(path))

    def add(self, name: str, files: Sequence[str | Path]) -> Answer:
        """Take uploaded files into a gallery; they are kept in the folder ``uploads`` of its index.

        Args:
            name: The gallery.
            files: The uploaded files.
        """
        searcher = self.searchers[name]
        folder = searcher.gallery.store.folder
        if self.limits is None or folder is None:
            return Answer('Nothing can be added to this index.', failed=True)
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
    caption = f'{result.rank} · {result.score:.3f}' + ('' if person is None else f'\nperson {person}')
    return Hit(result.path, _picture(result.path), caption)


def _picture(path: str | Path) -> np.ndarray:
    """Load an image as the encoder does, RGB, no higher than it is shown; a grey one in place of one that is gone."""
    try:
        picture = LoadPersonImage().transform(dict(img_path=str(path)))['img']
    except OSError:
        return np.full((_SHOWN_HEIGHT, _SHOWN_HEIGHT // 3, 3), 128, dtype=np.uint8)
    scale = _SHOWN_HEIGHT / picture.shape[0]
    if scale < 1:
        size = max(round(picture.shape[1] * scale), 1), _SHOWN_HEIGHT
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[..., ::-1])
