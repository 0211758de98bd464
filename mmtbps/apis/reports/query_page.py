"""Self-contained HTML page of queries and their results."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
from jinja2 import Environment, StrictUndefined

from mmtbps.core.files import write_atomically
from mmtbps.core.images import read_image

__all__ = ['FoundImage', 'QueryCard', 'write_query_page']

_HEIGHT, _QUALITY = 200, 85
_PAGE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light; --match: #1a9850; --mismatch: #d73027; --ink: #1d2733; --soft: #5b6875; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 24px 60px; max-width: 1240px; color: var(--ink); background: #f4f6f8;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; }
p { margin: 0 0 14px; color: var(--soft); max-width: 80ch; }
.metadata { display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 0 0 18px; padding: 0; list-style: none; }
.metadata b { color: var(--soft); font-weight: 500; margin-right: 6px; }
table { border-collapse: collapse; margin: 0 0 22px; background: #fff; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px; border: 1px solid #dde3e9; text-align: right; }
th:first-child { text-align: left; }
thead th { background: #eaeef2; font-weight: 600; }
section { background: #fff; border: 1px solid #dde3e9; border-radius: 8px; padding: 14px 16px 12px; margin: 0 0 14px; }
h2 { font-size: 15px; font-weight: 600; margin: 0 0 10px; overflow-wrap: anywhere; }
h2 span { color: var(--mismatch); font-weight: 600; margin-right: 8px; white-space: nowrap; }
.row { display: flex; flex-wrap: wrap; gap: 10px; }
figure { margin: 0; text-align: center; }
figure img { display: block; height: 208px; border: 4px solid var(--mismatch); border-radius: 4px; background: #fff; }
figure.match img { border-color: var(--match); }
figure.own { padding-right: 14px; margin-right: 4px; border-right: 1px solid #dde3e9; }
figure.own img { border-color: #8a96a3; }
figcaption { font-size: 12px; color: var(--soft); margin-top: 3px; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
<ul class="metadata">
{% for name, value in metadata.items() %}
<li><b>{{ name }}</b>{{ value }}</li>
{% endfor %}
</ul>
<table>
<thead><tr><th></th>{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, row in figures.items() %}
<tr><th>{{ name }}</th>{% for column in columns %}<td>{{ "%.2f" % row[column] }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% for card in cards %}
<section>
<h2><span>{{ card.mark }}</span>{{ card.caption }}</h2>
<div class="row">
{% for image in card.images %}
<figure class="{{ image.kind }}"><img src="{{ embed(image.path) }}" alt="">
<figcaption>{{ image.label }}</figcaption></figure>
{% endfor %}
</div>
</section>
{% endfor %}
</body>
</html>
"""
)


class FoundImage(NamedTuple):
    """An image of a query card.

    Attributes:
        path: Its file.
        label: The text below it.
        kind: Its frame: ``'match'``, ``'mismatch'`` or ``'own'``.
    """

    path: str
    label: str
    kind: str


class QueryCard(NamedTuple):
    """A query and its images.

    Attributes:
        mark: Text before the sentence.
        caption: The sentence.
        images: The images from left to right.
    """

    mark: str
    caption: str
    images: Sequence[FoundImage]


def write_query_page(
    out_file: str | Path,
    title: str,
    introduction: str,
    metadata: Mapping[str, str],
    figures: Mapping[str, Mapping[str, float]],
    cards: Iterable[QueryCard],
) -> None:
    """Write one self-contained HTML file: images are embedded, and there is no script.

    Args:
        out_file: The file.
        title: Heading of the page.
        introduction: Text below it.
        metadata: Names and values, shown in one line.
        figures: Metrics in percent, by row and column.
        cards: The queries.

    Raises:
        FileNotFoundError: If an image does not exist.
    """
    page = _PAGE.render(
        title=title, introduction=introduction, metadata=metadata, figures=figures, cards=cards, embed=_embed,
        columns=list(next(iter(figures.values()))),
    )  # fmt: skip
    # Captions from the web may hold lone surrogates, which UTF-8 cannot encode.
    write_atomically(out_file, page.encode('utf-8', 'xmlcharrefreplace'))


def _embed(path: str) -> str:
    """Encode an image, resized to the height of the page's images, as a data URL."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'There is no image {path}. Paths are those of the test: run in the same folder, with the data in place.'
        )
    image = read_image(path)
    height, width = image.shape[:2]
    size = (max(1, round(width * _HEIGHT / height)), _HEIGHT)
    smaller = height > _HEIGHT
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return 'data:image/jpeg;base64,' + base64.b64encode(encoded.tobytes()).decode()
