"""Layout and events of the web page. Imported only by ``serve``, which sets Gradio's environment before."""

import inspect
from collections.abc import Sequence
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

Components = list[Any]


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
                example = gr.Dataset(
                    label='Examples', components=[sentence], samples=[[text] for text in examples],
                    visible=bool(examples), elem_id='examples',
                )  # fmt: skip
                with gr.Accordion('Filter and options', open=False, elem_id='options'):
                    options = _options(galleries)
                    files = _upload(galleries.limits)
            with gr.Column(scale=5, min_width=320):
                message = gr.HTML(tell(_HELLO), elem_id='message')
                row, link, table, archive, file = _take_away()
                found = _found()
        ask = Asker(galleries)
        shared: dict[str, Any] = dict(
            outputs=[message, found, row, link, ask.shown], show_progress='minimal', api_visibility='private'
        )
        name, *_, where, least = options
        asked = [sentence, *options]
        typed: dict[str, Any] = dict(fn=ask.sentence, inputs=asked, **shared)
        chosen = example.click(lambda row: row[0], example, sentence, api_visibility='private')
        answered = [
            search.click(**typed),
            sentence.submit(**typed),
            where.submit(**typed),
            least.submit(**typed),
            chosen.then(**typed),
            found.select(ask.image, [ask.shown, *options], **shared),
            image.upload(ask.upload, [image, *options], **shared),
            files.upload(ask.add, [files, name], **shared),
            _opened(page, ask, asked, shared),
        ]
        for event in answered:
            event.then(None, message, js=LOOK, api_visibility='private')
        name.change(ask.example, name, where, show_progress='hidden', api_visibility='private')
        link.click(None, outputs=link, js=COPY_LINK, api_visibility='private')
        for button, write in ((table, ask.table), (archive, ask.archive)):
            written = button.click(write, ask.shown, file, show_progress='hidden', api_visibility='private')
            written.then(None, file, js=FETCH, api_visibility='private')
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


def _opened(page: gr.Blocks, ask: Asker, asked: Components, shared: dict[str, Any]) -> Any:
    """Ask what the address says that the page is opened with; the browser tells it."""
    address = gr.Textbox(visible=False)
    changed = {**shared, 'outputs': [*asked, *shared['outputs']], 'show_progress': 'hidden'}
    return page.load(ask.open, address, js='() => [location.search]', **changed)


def _buttons(limits: UploadLimits | None) -> tuple[gr.Button, gr.UploadButton]:
    """Buttons to search with the sentence, and with an image of one's own; the latter invisible without uploads."""
    with gr.Row(elem_id='ask'):
        return (
            gr.Button('Search', variant='primary', min_width=0, elem_id='search'),
            gr.UploadButton(
                'Search by image', file_types=UPLOAD_SUFFIXES, visible=limits is not None, min_width=0,
                elem_id='image',
            ),
        )  # fmt: skip


def _options(galleries: Galleries) -> Components:
    """Choice of the gallery (invisible if there is only one), re-ranker, number of images, filter and least score."""
    names = list(galleries.searchers)
    kinds = [('none: by similarity', ''), *((kind, kind) for kind in sorted(RERANKERS.module_dict))]
    name = gr.Dropdown(names, value=names[0], label='Gallery', visible=len(names) > 1, elem_id='index')
    where = gr.Textbox(
        label='Filter: conditions with commas between them', placeholder=galleries.example_filter(names[0]),
        lines=1, max_lines=3, elem_id='where',
    )  # fmt: skip
    least = gr.Number(label='Least score: cosine of an image', minimum=-1, maximum=1, step=0.05, elem_id='least')
    topk = gr.Slider(1, MOST_IMAGES, value=IMAGES, step=1, label='Images', elem_id='topk')
    rerank = gr.Dropdown(kinds, value='', label='Re-ranking', elem_id='rerank')
    return [name, rerank, topk, where, least]


def _upload(limits: UploadLimits | None) -> gr.UploadButton:
    """Button for new images; invisible if none can be added."""
    most = UploadLimits() if limits is None else limits
    return gr.UploadButton(
        f'Add images to the gallery (at most {most.files}, {most.megabytes:g} MB each)', file_count='multiple',
        file_types=UPLOAD_SUFFIXES, visible=limits is not None, size='sm', elem_id='upload',
    )  # fmt: skip


def _take_away() -> tuple[gr.Row, gr.Button, gr.Button, gr.Button, gr.DownloadButton]:
    """Row of what can be taken away, its buttons for link, table and archive, and what holds the file just made."""
    with gr.Row(visible=False, elem_id='take') as row:
        link = gr.Button('Copy link', size='sm', elem_id='link')
        table = gr.Button('Table (CSV)', size='sm', elem_id='table')
        archive = gr.Button('Images (ZIP)', size='sm', elem_id='archive')
    return row, link, table, archive, gr.DownloadButton(visible=False)


def _found() -> gr.Gallery:
    """The found images."""
    return gr.Gallery(
        label='Found images', show_label=False, object_fit='contain', height='auto', format='png',
        allow_preview=False, interactive=False, buttons=[], elem_id='found',
    )  # fmt: skip
