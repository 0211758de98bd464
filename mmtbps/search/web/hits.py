"""What the page shows of an image: its pixels, and what is known of it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.core.text import printable
from mmtbps.datasets.transforms import LoadPersonImage

from ..answer_files import scaled_to
from ..facts import comparable, written
from ..results import SearchResult

__all__ = ['Answer', 'Hit', 'load_picture', 'make_hit', 'shorten', 'show_path', 'show_picture', 'to_show']

_SHOWN_HEIGHT = 384
_LONGEST_LINE = 24
"""Characters of a line below an image, two lines of the narrowest column."""

_MOST_FIELDS = 4
"""Metadata fields below an image; the table to take away has all."""


@dataclass(frozen=True)
class Hit:
    """An image to show: its path in the gallery, its pixels (H, W, 3) uint8, RGB, and the text below it.

    Args:
        path: The image file.
        picture: The pixels.
        caption: The text.
        result: What the search says of it. Defaults to None: it was added, not found.
    """

    path: str
    picture: np.ndarray
    caption: str
    result: SearchResult | None = None


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

    @property
    def results(self) -> list[SearchResult]:
        """The results of a search, which can be taken away; none after an upload."""
        return [hit.result for hit in self.hits if hit.result is not None]


def make_hit(result: SearchResult) -> Hit:
    """Show a result: rank and score, the file's name, and metadata, a line each.

    Visitors learn no place of this machine: of a path among the metadata, such as the video that a crop is from, they
    see the name.
    """
    result = replace(result, metadata={name: _without_place(value) for name, value in result.metadata.items()})
    lines = [f'{result.rank} · {result.score:.3f}', shorten(Path(result.path).name), *_facts(result.metadata)]
    return Hit(result.path, show_picture(result.path), '\n'.join(lines), result)


def _without_place(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value


def _facts(metadata: Mapping[str, Any]) -> list[str]:
    """Metadata as lines, the person first; the folder itself that was indexed says nothing."""
    told = {name: written(value) for name, value in metadata.items() if comparable(value)}
    if told.get('folder') == '.':
        del told['folder']
    names = sorted(told, key=lambda name: name != 'person_id')
    return [f'{shorten(name)} {shorten(told[name])}' for name in names][:_MOST_FIELDS]


def shorten(text: str, longest: int = _LONGEST_LINE) -> str:
    """Shorten text in the middle, so that the end stays, which tells files apart, and make it printable."""
    text = printable(text)
    if len(text) <= longest:
        return text
    start = (longest - 1) // 3
    return f'{text[:start]}…{text[start + 1 - longest :]}'


def show_path(result: SearchResult) -> str:
    """The path of an image as visitors may know it: below the folder that was indexed, nothing of this machine's."""
    folder = result.metadata.get('folder')
    name = Path(result.path).name
    return name if folder in (None, '.') else f'{folder}/{name}'


def show_picture(path: str | Path) -> np.ndarray:
    """Load an image, RGB, at most as high as it is shown; grey if the file is gone."""
    try:
        return load_picture(path)
    except OSError:
        return np.full((_SHOWN_HEIGHT, _SHOWN_HEIGHT // 3, 3), 128, dtype=np.uint8)


def load_picture(path: str | Path) -> np.ndarray:
    """Load an image as the encoder does, RGB, at most as high as it is shown.

    Raises:
        OSError: If the file cannot be read.
    """
    return to_show(LoadPersonImage().transform(dict(img_path=str(path)))['img'])


def to_show(pixels: np.ndarray) -> np.ndarray:
    """Turn pixels, BGR, into what is shown: RGB, at most as high as it is shown."""
    return np.ascontiguousarray(scaled_to(pixels, _SHOWN_HEIGHT)[..., ::-1])
