"""Layout and events of the web page. Imported only by ``serve``, which sets Gradio's environment before."""

import base64
import html
from collections.abc import Sequence
from typing import Any

import cv2
import gradio as gr

from mmtbps.registry import RERANKERS

from .galleries import Answer, Galleries
from .uploads import UPLOAD_SUFFIXES, UploadLimits

__all__ = ['build_page', 'launch_options']

_INTRODUCTION = (
    '# Person search\n'
    'Describe a person in a sentence; the images that fit best come first. Click one to find more like it.'
)
_HELLO = Answer('Type a sentence and press Enter, or click an example.')

# Pedestrians are tall and narrow: as many columns as fit on the screen, captions below, no inner scroll bar.
_STYLE = """
.gradio-container {max-width: 1280px !important; margin: 0 auto !important}
#message .told {display: flex; gap: 14px; align-items: center; padding: 10px 14px; overflow-wrap: anywhere;
    white-space: pre-line; border-left: 4px solid var(--primary-500); background: var(--background-fill-secondary)}
#message .told.failed {border-color: #d73027; background: #d7302714}
#message img {height: 120px; margin: 0}
#found {border-width: 0 !important}
#found .empty {visibility: hidden}
#found .grid-wrap {max-height: none; overflow: visible; padding: 0}
#found .grid-container {grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); padding: 0}
#found .thumbnail-lg {display: flex; flex-direction: column; aspect-ratio: auto}
#found .thumbnail-lg > img {aspect-ratio: 4 / 9; height: auto}
#found .caption-label {position: static; width: 100%; max-width: 100%; border: none; white-space: pre-line;
    text-align: center; font-variant-numeric: tabular-nums; opacity: 1 !important}
"""

_LOOK = "() => document.getElementById('message').scrollIntoView({block: 'nearest'})"
"""Scroll to the message: on a telephone it is below the visible part, or above it after a click far down."""


_VISITORS = 200
"""Visitors whose last answer is kept, 0.1 MB each; Gradio's 10,000 look like a leak. Others search again."""


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
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                sentence = gr.Textbox(
                    label='Who are you looking for?', lines=1, max_lines=6, autofocus=True, elem_id='sentence'
                )
                search = gr.Button('Search', variant='primary', elem_id='search')
                name = _index(list(galleries.searchers))
                example = gr.Dataset(
                    label='Examples', components=[sentence], samples=[[text] for text in examples],
                    visible=bool(examples), elem_id='examples',
                )  # fmt: skip
                with gr.Accordion('Options', open=False, elem_id='options'):
                    options = [name, *_ranking()]
                    files = _upload(galleries.limits)
            with gr.Column(scale=5, min_width=320):
                message, found = _answer()
        ask = _Asker(galleries)
        shared: dict[str, Any] = dict(
            outputs=[message, found, ask.shown], show_progress='minimal', api_visibility='private'
        )
        typed: dict[str, Any] = dict(fn=ask.sentence, inputs=[sentence, *options], **shared)
        chosen = example.click(lambda row: row[0], example, sentence, api_visibility='private')
        answered = [
            search.click(**typed),
            sentence.submit(**typed),
            chosen.then(**typed),
            found.select(ask.image, [ask.shown, *options], **shared),
            files.upload(ask.add, [files, name], **shared),
        ]
        for event in answered:
            event.then(None, js=_LOOK)
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
        css=_STYLE,
        footer_links=[],
        quiet=True,
        enable_monitoring=False,
        run_history=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        state_session_capacity=_VISITORS,
    )


class _Asker:
    """Handlers of a visitor's events; created inside the layout, since it holds the state of what each visitor sees."""

    def __init__(self, galleries: Galleries) -> None:
        self.galleries = galleries
        self.shown = gr.State(('', []))

    def sentence(self, sentence: str | None, name: str, rerank: str, topk: float) -> list:
        """Search with the typed sentence."""
        return _show(name, self.galleries.by_sentence(name, sentence, int(topk), rerank or None))

    def image(self, shown: tuple, _: str, rerank: str, topk: float, event: gr.SelectData) -> list:
        """Search with the clicked image, given as its position among those that this visitor was shown."""
        name, paths = shown
        if not isinstance(event.index, int) or not 0 <= event.index < len(paths):
            return _show(name, Answer('Search again, then click an image.', failed=True))
        return _show(name, self.galleries.by_image(name, paths[event.index], int(topk), rerank or None))

    def add(self, files: list[str] | None, name: str) -> list:
        """Add the uploaded files."""
        return _show(name, self.galleries.add(name, files or []))


def _index(names: list[str]) -> gr.Dropdown:
    """Choice of the gallery; invisible if there is only one."""
    return gr.Dropdown(names, value=names[0], label='Gallery', visible=len(names) > 1, elem_id='index')


def _ranking() -> list[gr.components.Component]:
    """Choice of the re-ranker and of the number of images."""
    kinds = [('none: by similarity', ''), *((kind, kind) for kind in sorted(RERANKERS.module_dict))]
    return [
        gr.Dropdown(kinds, value='', label='Re-ranking', elem_id='rerank'),
        gr.Slider(1, 60, value=12, step=1, label='Images', elem_id='topk'),
    ]


def _upload(limits: UploadLimits | None) -> gr.UploadButton:
    """Button for new images; invisible if none can be added."""
    most = UploadLimits() if limits is None else limits
    return gr.UploadButton(
        f'Add images to the gallery (at most {most.files}, {most.megabytes:g} MB each)', file_count='multiple',
        file_types=UPLOAD_SUFFIXES, visible=limits is not None, size='sm', elem_id='upload',
    )  # fmt: skip


def _answer() -> tuple[gr.HTML, gr.Gallery]:
    """Message and found images."""
    return (
        gr.HTML(_told(_HELLO), elem_id='message'),
        gr.Gallery(
            label='Found images', show_label=False, object_fit='contain', height='auto', format='png',
            allow_preview=False, interactive=False, buttons=[], elem_id='found',
        ),
    )  # fmt: skip


def _show(name: str, answer: Answer) -> list:
    """New values of the components of :func:`_answer` and of the visitor's state."""
    return [
        _told(answer),
        gr.Gallery(value=[(hit.picture, hit.caption) for hit in answer.hits], selected_index=None),
        (name, [hit.path for hit in answer.hits]),
    ]


def _told(answer: Answer) -> str:
    """A message as HTML, with the query image; words and file names of visitors are escaped."""
    kind = 'told failed' if answer.failed else 'told'
    picture = ''
    if answer.query is not None:
        content = base64.b64encode(cv2.imencode('.png', answer.query[..., ::-1])[1].tobytes()).decode()
        picture = f'<img alt="the image searched with" src="data:image/png;base64,{content}">'
    return f'<div class="{kind}" role="status">{picture}<span>{html.escape(answer.message)}</span></div>'
