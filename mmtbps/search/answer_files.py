"""An answer to take away: a table that spreadsheets open, and an archive of the images with that table."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmtbps.core.files import written_atomically
from mmtbps.core.text import no_formula, printable
from mmtbps.datasets.transforms import LoadPersonImage

from .facts import comparable, written
from .results import SearchResult

__all__ = ['format_table', 'safe_cell', 'safe_name', 'scaled_to', 'write_archive']

_COLUMNS = ('rank', 'score', 'path')
_TABLE = 'answer.csv'
_LONGEST_NAME = 50
"""Characters of a name in an archive: 200 bytes at most, where file systems take 255."""

_HEIGHT, _WIDTH = 2048, 2048
"""Largest sides of an image in an archive. Crops of persons are smaller; a photograph would make it hundreds of MB."""


def format_table(
    results: Sequence[SearchResult],
    show_path: Callable[[SearchResult], str] | None = None,
    files: Sequence[str] | None = None,
) -> str:
    """Format results as a CSV: rank, score, path, and a column for every metadata field.

    No cell is a formula; see :func:`safe_cell`. A field whose name is that of another column is called ``metadata
    rank``, for example.

    Args:
        results: The results, a row each.
        show_path: What to write as the path of a result. Defaults to None: its path.
        files: Names for a column ``file``, one for each result. Defaults to None: no such column.
    """
    own = [*_COLUMNS, *([] if files is None else ['file'])]
    fields = list(dict.fromkeys(name for result in results for name in result.metadata))
    table = io.StringIO(newline='')
    writer = csv.writer(table)
    writer.writerow([*own, *(safe_cell(f'metadata {name}' if name in own else name) for name in fields)])
    for place, result in enumerate(results):
        path = result.path if show_path is None else show_path(result)
        cells = [result.rank, f'{result.score:.6f}', safe_cell(path), *([] if files is None else [files[place]])]
        writer.writerow([*cells, *(safe_cell(result.metadata.get(name)) for name in fields)])
    return printable(table.getvalue())


def safe_cell(value: Any) -> str:
    """Write a value for a cell that no spreadsheet takes for a formula.

    Args:
        value: A text or number; anything else, None among it, leaves the cell empty.

    Returns:
        Numbers as they are; text as :func:`~mmtbps.core.text.no_formula` writes it.

    Example:
        >>> safe_cell('=1+1'), safe_cell('c1'), safe_cell(-2)
        ("'=1+1", 'c1', '-2')
    """
    if not comparable(value):
        return ''
    return no_formula(value) if isinstance(value, str) else written(value)


def safe_name(path: str, rank: int) -> str:
    """Name an image for an archive: by its rank, so that no two are the same, and its own name's letters and digits.

    Args:
        path: The image file.
        rank: Its rank.

    Example:
        >>> safe_name('/crops/../c1 *.JPG', 7)
        '007_c1_.png'
    """
    stem = re.sub(r'[^\w-]+', '_', Path(path).stem)
    return f'{rank:03}_{stem[-_LONGEST_NAME:]}.png'


def write_archive(
    file: str | Path,
    results: Sequence[SearchResult],
    show_path: Callable[[SearchResult], str] | None = None,
) -> list[str]:
    """Write a ZIP of the images and of their table, ``answer.csv``, whose column ``file`` names them.

    Only pixels are stored, as PNG: a gallery may name any file, and what is no image stays where it is. Images of more
    than 2048 rows or columns are scaled down.

    Args:
        file: The archive.
        results: The results.
        show_path: See :func:`format_table`. Defaults to None.

    Returns:
        Paths of images that cannot be read any more; the archive lacks them, their cells ``file`` are empty.
    """
    names, missing = [], []
    with written_atomically(file) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for result in results:
            try:
                picture = LoadPersonImage().transform(dict(img_path=result.path))['img']
            except OSError:
                missing.append(result.path)
                names.append('')
                continue
            names.append(safe_name(result.path, result.rank))
            content = cv2.imencode('.png', scaled_to(picture, _HEIGHT, _WIDTH))[1].tobytes()
            archive.writestr(zipfile.ZipInfo(names[-1]), content)
        table = format_table(results, show_path, names).encode()
        archive.writestr(zipfile.ZipInfo(_TABLE), table, zipfile.ZIP_DEFLATED)
    return missing


def scaled_to(picture: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """Scale a picture (H, W, 3) down, never up, so that it has at most this height and width.

    Args:
        picture: The pixels.
        height: Most rows.
        width: Most columns. Defaults to None: any number.
    """
    rows, columns = picture.shape[:2]
    scale = min(height / rows, 1 if width is None else width / columns)
    if scale >= 1:
        return picture
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
