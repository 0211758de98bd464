"""Layout and events of the web page. Imported only by ``serve``, which sets Gradio's environment before."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from mmtbps.registry import RERANKERS

from .galleries import Galleries
from .handlers import Asker, tell
from .hits import Answer
from .queries import IMAGES, MOST_IMAGES
from .style import COPY_LINK, FETCH, LOOK, STYLE
from .uploads import UPLOAD_SUFFIXES, UploadLimits

__all__ = ['build_page', 'launch_options']

_INTRODUCTION = (
    '# Person search\n'
    'Describe a person in a sentence; the images that fit best come first. Click one to find more like it.'
)
_HELLO = Answer('Type a sentence and press Enter, or click an example.')

_VISITORS = 200
"""Visitors whose last answer is kept, 0.1 MB each; Gradio's 10,000 look like a leak. Others search again."""


@dataclass(frozen=True)
class _Away:
    """A row of buttons for what can be taken away: link, table, archive; and what holds the file just made."""

    row: gr.Row
    link: gr.Button
    table: gr.Button
    archive: gr.Button
    file: gr.DownloadButton


@dataclass(frozen=True)
class _Parts:
    """What a visitor types, chooses, presses and sees."""

    sentence: gr.Textbox
    search: gr.Button
    image: gr.UploadButton
    example: gr.Dataset
    options: list[Any]
    files: gr.UploadButton
    message: gr.HTML
    away: _Away
    found: gr.Gallery


def build_page(galleries: Galleries, examples: Sequence[str]) -> gr.Blocks:
    """Lay out the page and connect its events.

    Args:
        galleries: The galleries to search.
        examples: Sentences offered for a click.

    Returns:
        The page, not yet served.
    """
    # Copies of images that were not requested for an hour are deleted while the page is served.
    with gr.Blocks(title='Person search', analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(_INTRODUCTION, elem_id='introduction')
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                sentence = gr.Textbox(
                    label='Who are you looking for?', lines=1, max_lines=6, autofocus=True, elem_id='sentence'
                )
                search, image = _buttons(galleries.limits)
                name = _index(list(galleries.searchers))
                example = gr.Dataset(
                    label='Examples', components=[sentence], samples=[[text] for text in examples],
                    visible=bool(examples), elem_id='examples',
                )  # fmt: skip
                with gr.Accordion('Filter and options', open=False, elem_id='options'):
                    options, files = [name, *_options(galleries)], _upload(galleries.limits)
            with gr.Column(scale=5, min_width=320):
                message = gr.HTML(tell(_HELLO), elem_id='message')
                away = _take_away()
                found = _found()
        parts = _Parts(sentence, search, image, example, options, files, message, away, found)
        ask = Asker(galleries)
        _connect_queries(page, parts, ask)
        _connect_files(away, ask)
        gr.api(ask.search, api_name='search', api_description=inspect.getdoc(ask.search))
    return page


def launch_options(limits: UploadLimits | None) -> dict[str, Any]:
    """Options of Gradio's ``launch``: no tunnel, no folder but its own, no other host.

    Args:
        limits: Limits of uploads. None: nothing can be added, so that Gradio rejects uploads above one byte.
    """
    return dict(
        share=False,
        allowed_paths=[],
        max_file_size=1 if limits is None else int(limits.megabytes * 2**20),
        theme=gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']),
        css=STYLE,
        footer_links=[],
        quiet=True,
        enable_monitoring=False,
        run_history=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        state_session_capacity=_VISITORS,
    )


def _connect_queries(page: gr.Blocks, parts: _Parts, ask: Asker) -> None:
    """Let everything that asks lead to an answer, and the answer to its address."""
    outputs = [parts.message, parts.found, parts.away.row, parts.away.link, ask.shown]
    shared: dict[str, Any] = dict(outputs=outputs, show_progress='minimal', api_visibility='private')
    name, *_, where, least = parts.options
    asked = [parts.sentence, *parts.options]
    typed: dict[str, Any] = dict(fn=ask.sentence, inputs=asked, **shared)
    chosen = parts.example.click(lambda row: row[0], parts.example, parts.sentence, api_visibility='private')
    answered = [
        parts.search.click(**typed),
        parts.sentence.submit(**typed),
        where.submit(**typed),
        least.submit(**typed),
        chosen.then(**typed),
        parts.found.select(ask.image, [ask.shown, *parts.options], **shared),
        parts.image.upload(ask.upload, [parts.image, *parts.options], **shared),
        parts.files.upload(ask.add, [parts.files, name], **shared),
        page.load(
            ask.open, gr.Textbox(visible=False), [*asked, *outputs], js='() => [location.search]',
            show_progress='hidden', api_visibility='private',
        ),
    ]  # fmt: skip
    for event in answered:
        event.then(None, parts.message, js=LOOK, api_visibility='private')
    name.change(ask.example, name, where, show_progress='hidden', api_visibility='private')


def _connect_files(away: _Away, ask: Asker) -> None:
    """Let the buttons of what can be taken away do so: a file is written when it is asked for."""
    away.link.click(None, outputs=away.link, js=COPY_LINK, api_visibility='private')
    for button, write in ((away.table, ask.table), (away.archive, ask.archive)):
        written = button.click(write, ask.shown, away.file, show_progress='hidden', api_visibility='private')
        written.then(None, away.file, js=FETCH, api_visibility='private')


def _buttons(limits: UploadLimits | None) -> tuple[gr.Button, gr.UploadButton]:
    """Buttons to search with the sentence, and with an image of one's own; the latter invisible without uploads."""
    with gr.Row(equal_height=True, elem_id='ask'):
        return (
            gr.Button('Search', variant='primary', min_width=0, elem_id='search'),
            gr.UploadButton(
                'Search by image', file_types=UPLOAD_SUFFIXES, visible=limits is not None, min_width=0,
                elem_id='image',
            ),
        )  # fmt: skip


def _index(names: list[str]) -> gr.Dropdown:
    """Choice of the gallery; invisible if there is only one."""
    return gr.Dropdown(names, value=names[0], label='Gallery', visible=len(names) > 1, elem_id='index')


def _options(galleries: Galleries) -> list[Any]:
    """Choice of re-ranker, number of images, filter and least score."""
    kinds = [('none: by similarity', ''), *((kind, kind) for kind in sorted(RERANKERS.module_dict))]
    where = gr.Textbox(
        label='Filter: conditions with commas between them', placeholder=galleries.example_filter(),
        lines=1, max_lines=3, elem_id='where',
    )  # fmt: skip
    # Gradio's field for numbers sends 0 when it is empty.
    least = gr.Textbox(label='Least score, -1 to 1', placeholder='none', lines=1, max_lines=1, elem_id='least')
    topk = gr.Slider(1, MOST_IMAGES, value=IMAGES, step=1, label='Images', elem_id='topk')
    rerank = gr.Dropdown(kinds, value='', label='Re-ranking', elem_id='rerank')
    return [rerank, topk, where, least]


def _upload(limits: UploadLimits | None) -> gr.UploadButton:
    """Button for new images; invisible if none can be added."""
    most = UploadLimits() if limits is None else limits
    return gr.UploadButton(
        f'Add images to the gallery (at most {most.files}, {most.megabytes:g} MB each)', file_count='multiple',
        file_types=UPLOAD_SUFFIXES, visible=limits is not None, size='sm', elem_id='upload',
    )  # fmt: skip


def _take_away() -> _Away:
    """What can be taken away; invisible until there is something."""
    with gr.Row(visible=False, elem_id='take') as row:
        link = gr.Button('Copy link', size='sm', elem_id='link')
        table = gr.Button('Table (CSV)', size='sm', elem_id='table')
        archive = gr.Button('Images (ZIP)', size='sm', elem_id='archive')
    return _Away(row, link, table, archive, gr.DownloadButton(visible=False))


def _found() -> gr.Gallery:
    """The found images."""
    return gr.Gallery(
        label='Found images', show_label=False, object_fit='contain', height='auto', format='png',
        allow_preview=False, interactive=False, buttons=[], elem_id='found',
    )  # fmt: skip
