"""The galleries of the web page, and what it shows for a query."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from mmtbps.core.text import printable

from ..facts import comparable, number_of, written
from ..filters import written_name
from ..query_notes import note_on
from ..results import SearchResult
from ..searcher import Searcher
from .hits import Answer, Hit, load_picture, make_hit, shorten, show_picture, to_show
from .queries import MAX_SENTENCE, Query
from .uploads import UploadLimits, keep_upload, read_upload

__all__ = ['Answer', 'Galleries', 'Hit']


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

    def ask(self, query: Query) -> Answer:
        """Search with a sentence, as the page, a link or a program gives it.

        Args:
            query: The query.
        """
        try:
            query.check(list(self.searchers))
        except ValueError as error:
            return Answer(str(error), failed=True)
        sentence = ' '.join(query.sentence.split())
        if not any(letter.isalnum() for letter in sentence):
            return Answer('Describe the person first: clothes and their colours, hair, bags, shoes.', failed=True)
        if len(sentence) > MAX_SENTENCE:
            told = f'The sentence has {len(sentence)} characters; shorten it to at most {MAX_SENTENCE}.'
            return Answer(told, failed=True)
        searcher = self._searcher(query)
        notes = note_on(searcher.encoder, sentence)
        try:
            searcher.encoder.require_known_words([sentence])
        except ValueError:
            known_none = ['The model knows none of these words; describe the person in plain English.', *notes.lines]
            return Answer('\n'.join(known_none), failed=True)
        return self._find(query, searcher.search, sentence, f'for: {sentence}', notes=notes.lines)

    def by_sentence(self, name: str, sentence: str | None, topk: int, rerank: str | None) -> Answer:
        """Search with a sentence and no filter.

        Args:
            name: Name of the gallery.
            sentence: What the visitor typed.
            topk: Number of images, 1 to 60; a smaller gallery is shown completely.
            rerank: Type of a re-ranker, or None.
        """
        return self.ask(Query(sentence or '', name, topk, rerank=rerank or ''))

    def by_image(
        self,
        name: str,
        path: str,
        topk: int,
        rerank: str | None,
        where: str = '',
        least_score: float | None = None,
    ) -> Answer:
        """Search with an image of the gallery.

        Args:
            name: Name of the gallery.
            path: The image's path in the gallery.
            topk: Number of images, 1 to 60; a smaller gallery is shown completely.
            rerank: Type of a re-ranker, or None.
            where: See :class:`Query`. Defaults to no filter.
            least_score: See :class:`Query`. Defaults to None.
        """
        query = Query('', name, topk, where, least_score, rerank or '')
        try:
            query.check(list(self.searchers))
        except ValueError as error:
            return Answer(str(error), failed=True)
        searcher, file = self._searcher(query), printable(Path(path).name)
        if path not in searcher.gallery.store:
            return Answer('This image is not in the chosen gallery; search again.', failed=True)
        try:
            shown = load_picture(path)
        except OSError:
            return Answer(f'The image {file} cannot be read any more.', failed=True)
        return self._find(query, searcher.search_by_image, path, f'like {file}', shown)

    def by_upload(self, query: Query, file: str | Path) -> Answer:
        """Search with an uploaded image, which is checked as others are and kept nowhere.

        Args:
            query: The query; its sentence is not used.
            file: The uploaded file.
        """
        if self.limits is None:
            return Answer('Images cannot be uploaded to this page.', failed=True)
        try:
            query.check(list(self.searchers))
            pixels = read_upload(file, self.limits)
        except ValueError as error:
            return Answer(str(error), failed=True)
        told = f'like your image {printable(Path(file).name)}'
        return self._find(query, self._searcher(query).search_by_image, pixels, told, to_show(pixels))

    def _searcher(self, query: Query) -> Searcher:
        return self.searchers[query.gallery or next(iter(self.searchers))]

    def _find(
        self,
        query: Query,
        search: Callable[..., list[SearchResult]],
        asked: Any,
        told: str,
        shown: np.ndarray | None = None,
        notes: Sequence[str] = (),
    ) -> Answer:
        """Search with all options of a query, and say what was asked and found."""
        searcher = self._searcher(query)
        try:
            with self._lock:
                searcher.gallery.refresh()
                topk = min(int(query.images), len(searcher))
                results = search(
                    asked,
                    topk=topk,
                    rerank=query.rerank or None,
                    min_score=query.least_score,
                    where=query.conditions,
                )
        except (OSError, RuntimeError, ValueError) as error:
            return Answer(f'The search failed: {printable(str(error))}', failed=True)
        found = f'The best {len(results)} of {len(searcher)} images' if results else 'No image was found'
        lines = [f'{found} {told}', *filter(None, [query.described()]), *notes]
        return Answer('\n'.join(lines), [make_hit(result) for result in results], shown)

    def example_filter(self, name: str = '') -> str:
        """Make a filter of a gallery's own fields, to show how one is written; empty if it has none.

        Args:
            name: Name of the gallery. Defaults to the first one.
        """
        images = self._searcher(Query(gallery=name)).gallery.store.images
        metadata = images[len(images) // 2].metadata
        parts = [
            f'{written_name(field)} {"=" if number_of(value) is None else ">="} {written(value)}'
            for field, value in sorted(metadata.items(), key=lambda item: item[0] == 'folder')
            if 0 < len(field) <= 20 and field.isprintable() and comparable(value) and _plain(written(value))
        ]
        return ', '.join(parts[:2])

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
        hits = [Hit(str(path), show_picture(path), f'added\n{shorten(path.name)}') for path in kept]
        return Answer('\n'.join([*told, *refused]) or 'Choose images first.', hits, failed=not kept)


def _plain(value: str) -> bool:
    """Whether a value can stand in an example as it is: short, and no part of it has a meaning in a filter."""
    return value != '.' and len(value) <= 20 and re.fullmatch(r'[\w.:/+-]+', value) is not None
