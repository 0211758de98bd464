"""Handlers of the page's events. Imported only by the page, since it needs Gradio."""

import base64
import html
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import gradio as gr

from mmtbps.core.files import write_atomically
from mmtbps.core.text import printable

from ..answer_files import format_table, write_archive
from ..facts import comparable
from ..results import SearchResult
from .galleries import Galleries
from .hits import Answer, show_path
from .queries import IMAGES, Query, number_or_as_is

__all__ = ['Asker', 'tell']


_SAME_QUERY, _SAME_ANSWER = [gr.skip()] * 6, [gr.skip()] * 5
"""For sentence and options, and for what :func:`_show` returns, to stay as they are."""


@dataclass
class Shown:
    """What a visitor sees.

    Attributes:
        gallery: Name of the gallery that the images are from.
        paths: The shown images.
        results: What can be taken away; none of added images.
    """

    gallery: str = ''
    paths: list[str] = field(default_factory=list)
    results: list[SearchResult] = field(default_factory=list)


class Asker:
    """Handlers of a visitor's events; created inside the layout, since it holds the state of what each visitor sees.

    Args:
        galleries: The galleries to search.

    Attributes:
        shown: What the visitor sees.
    """

    def __init__(self, galleries: Galleries) -> None:
        self.galleries = galleries
        self.shown = gr.State(Shown())

    def sentence(self, sentence: str | None, *options: Any) -> list:
        """Search with the typed sentence."""
        query = _query(sentence, *options)
        return _show(query.gallery, self.galleries.ask(query), query.link)

    def image(
        self,
        shown: Shown,
        _: str,
        rerank: str,
        topk: float,
        where: str | None,
        least: str | None,
        event: gr.SelectData,
    ) -> list:
        """Search with the clicked image, given as its position among those that this visitor was shown."""
        name, place = shown.gallery, event.index
        if not isinstance(place, int) or not 0 <= place < len(shown.paths):
            return _show(name, Answer('Search again, then click an image.', failed=True))
        query = _query('', name, rerank, topk, where, least)
        return _show(
            name,
            self.galleries.by_image(
                name, shown.paths[place], query.images, query.rerank, query.where, query.least_score
            ),
        )

    def upload(self, file: str | None, *options: Any) -> list:
        """Search with an uploaded image."""
        query = _query('', *options)
        if not file:
            return _show(query.gallery, Answer('Choose an image first.', failed=True))
        return _show(query.gallery, self.galleries.by_upload(query, file))

    def add(self, files: list[str] | None, name: str) -> list:
        """Add the uploaded files."""
        return _show(name, self.galleries.add(name, files or []))

    def open(self, link: str | None) -> list:
        """Ask what the address says that the page was opened with: values of sentence and options, and the answer."""
        try:
            query = Query.from_link(link or '')
            query.check(list(self.galleries.searchers))
        except ValueError as error:
            return [*_SAME_QUERY, *_show('', Answer(str(error), failed=True))]
        if query == Query():
            return [*_SAME_QUERY, *_SAME_ANSWER]
        name = query.gallery or next(iter(self.galleries.searchers))
        least = '' if query.least_score is None else f'{query.least_score:g}'
        asked = [query.sentence, name, query.rerank, query.images, query.where, least]
        if not query.sentence:
            return [*asked, *_SAME_ANSWER]
        return [*asked, *_show(name, self.galleries.ask(query), query.link)]

    def example(self, name: str) -> Any:
        """Show how a filter is written for a gallery."""
        return gr.Textbox(placeholder=self.galleries.example_filter(name))

    def table(self, shown: Shown) -> str:
        """Write the table of what is shown."""
        file = _new_file('answer.csv')
        write_atomically(file, format_table(shown.results, show_path).encode())
        return str(file)

    def archive(self, shown: Shown) -> str:
        """Write the archive of what is shown."""
        file = _new_file('answer.zip')
        write_archive(file, shown.results, show_path)
        return str(file)

    def search(
        self,
        sentence: str,
        gallery: str = '',
        images: int = IMAGES,
        where: str = '',
        least_score: float | None = None,
        rerank: str = '',
    ) -> dict:
        """Find the images that a sentence describes.

        Args:
            sentence: The sentence, at most 1,000 characters.
            gallery: Name of the gallery; the first one if empty.
            images: Number of images, 1 to 60.
            where: Conditions on the metadata with commas between them, such as `camera = c1, time >= 10`.
            least_score: Least cosine of a result, -1 to 1; none if null.
            rerank: Type of a re-ranker, such as `NeighborJaccard`; none if empty.

        Returns:
            A message and the results, best first, each with rank, score, cosine, file and metadata.
        """
        answer = self.galleries.ask(Query(sentence, gallery, images, where, least_score, rerank))
        if answer.failed:
            raise gr.Error(answer.message, print_exception=False)
        return dict(message=answer.message, results=[_describe(result) for result in answer.results])


def _query(sentence: str | None, name: str, rerank: str, topk: float, where: str | None, least: str | None) -> Query:
    bound = number_or_as_is(least) if least and not least.isspace() else None
    return Query(sentence or '', name, int(topk), where or '', bound, rerank or '')


def _describe(result: SearchResult) -> dict[str, Any]:
    """A result for a program, which learns no path of this machine.

    Gradio and its clients take an object with a ``path`` for a file to fetch, so that nothing is called so; and values
    are texts and numbers alone, since an object in a stranger's gallery could ask the server for a file.
    """
    metadata = {
        'metadata path' if name == 'path' else printable(name): printable(value) if isinstance(value, str) else value
        for name, value in result.metadata.items()
        if comparable(value)
    }
    file = printable(show_path(result))
    return dict(rank=result.rank, score=result.score, cosine=result.cosine, file=file, metadata=metadata)


def _new_file(name: str) -> Path:
    """A place for a file of one visitor, in Gradio's folder, where it is deleted after an hour; nobody can guess it."""
    return Path(os.environ['GRADIO_TEMP_DIR']) / secrets.token_hex(16) / name


def _show(name: str, answer: Answer, link: str | None = None) -> list:
    """New values of message, images, row of what can be taken away, button for the link, and visitor's state."""
    results = answer.results
    linked = link is not None and not answer.failed
    return [
        tell(answer, link if linked else ''),
        gr.Gallery(value=[(hit.picture, hit.caption) for hit in answer.hits], selected_index=None),
        gr.Row(visible=bool(results)),
        gr.Button('Copy link', visible=linked),
        Shown(name, [hit.path for hit in answer.hits], results),
    ]


def tell(answer: Answer, link: str | None = None) -> str:
    """Write a message as HTML, with the query image; words and file names of visitors are escaped.

    Args:
        answer: The answer.
        link: What becomes of the page's address. Defaults to None: it stays.
    """
    kinds = ['told', *(['failed'] if answer.failed else []), *(['found'] if answer.hits else [])]
    address = '' if link is None else f' data-link="{html.escape(link)}"'
    return (
        f'<div class="{" ".join(kinds)}" role="status"{address}>{_query_picture(answer)}'
        f'<span>{html.escape(answer.message)}</span></div>'
    )


def _query_picture(answer: Answer) -> str:
    if answer.query is None:
        return ''
    content = base64.b64encode(cv2.imencode('.png', answer.query[..., ::-1])[1].tobytes()).decode()
    return f'<img alt="the image searched with" src="data:image/png;base64,{content}">'
