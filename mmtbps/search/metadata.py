"""Metadata of images, from a table or from their paths."""

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmtbps.core.json_text import parse_json
from mmtbps.core.text import printable
from mmtbps.datasets.annotation import read_text

from .facts import number_or_text

__all__ = ['MetadataSource', 'read_table']

_PATH_COLUMNS = ('path', 'image', 'img_path', 'file_path')


def read_table(file: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a CSV file with a header, or a JSONL file with one object a line.

    Args:
        file: The file; ``.jsonl`` is JSONL, all else is CSV, whose cells become numbers as
            :func:`~mmtbps.search.facts.number_or_text` says.

    Yields:
        The place of the row (file and line, for error messages), and the row.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not UTF-8, a line is not a JSON object or a CSV row has more fields than the header.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f'There is no table {file}.')
    stream = io.StringIO(read_text(str(file)), newline='')
    if file.suffix.lower() == '.jsonl':
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f'{file}, line {number}', _json_object(line, f'{file}, line {number}')
        return
    reader = csv.DictReader(stream)
    try:
        for number, row in enumerate(reader, start=2):
            if None in row:
                raise ValueError(f'{file}, line {number}: more fields than the header has. Quote fields with commas.')
            yield f'{file}, line {number}', {key: number_or_text(value) for key, value in row.items() if value}
    except csv.Error as error:
        raise ValueError(f'{file}, line {reader.line_num}: not valid CSV ({error}).') from error


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = parse_json(line)
    except ValueError as error:
        raise ValueError(f'{where}: {error}.') from error
    if not isinstance(value, dict):
        raise ValueError(f'{where}: expected a JSON object, but got {type(value).__name__}.')
    return value


class MetadataSource:
    r"""Metadata by image, for filters such as ``camera = c1`` or ``time >= 1200``.

    Args:
        table: A CSV or JSONL file with a column ``path`` (or ``image``, ``img_path``, ``file_path``), relative to the
            table's own folder unless absolute; every other column becomes a metadata field. Defaults to None: no
            table.
        pattern: A regular expression with named groups, searched for in each path, such as
            ``r'(?P<camera>c\d+)_(?P<time>\d+)'``; each group becomes a metadata field. Defaults to None: no pattern.

    Raises:
        FileNotFoundError: If the table does not exist.
        ValueError: If a row of the table has no path, or the pattern is invalid or has no named group.
    """

    def __init__(self, table: str | Path | None = None, pattern: str | None = None) -> None:
        self.table = None if table is None else Path(table)
        self._of_table = {} if self.table is None else _read_metadata(self.table)
        self._pattern = None if pattern is None else _compile(pattern)
        self._met: set[str] = set()

    def of(self, path: str) -> dict[str, Any]:
        """Metadata of the image with this absolute path; the table takes precedence over the pattern."""
        match = None if self._pattern is None else self._pattern.search(path)
        groups = {} if match is None else match.groupdict()
        of_path: dict[str, Any] = {key: number_or_text(value) for key, value in groups.items() if value is not None}
        return {**of_path, **self._row(path)}

    def _row(self, path: str) -> dict[str, Any]:
        """The row of an image; a table may name an image of a linked folder by its real path."""
        named = path if path in self._of_table or not self._of_table else os.path.realpath(path)
        if named in self._of_table:
            self._met.add(named)
        return self._of_table.get(named, {})

    def require_met(self, first: str) -> list[str]:
        """Check that rows of the table meet images, once their metadata have been asked for.

        Args:
            first: Path of the first image, for the message.

        Returns:
            A line if some rows meet none.

        Raises:
            ValueError: If no row does.
        """
        total, alone = len(self._of_table), [path for path in self._of_table if path not in self._met]
        if not alone:
            return []
        if len(alone) == total:
            raise ValueError(
                f'{self.table}: none of its {total} rows meets an image. The first row names {printable(alone[0])}, '
                f'the first image is {printable(first)}. Write paths relative to the folder of the table, or '
                'absolute ones.'
            )
        return [f'{self.table}: {len(alone)} of {total} rows meet no image, such as {printable(alone[0])}']


def _read_metadata(table: Path) -> dict[str, dict[str, Any]]:
    metadata = {}
    for where, row in read_table(table):
        column = next((name for name in _PATH_COLUMNS if name in row), None)
        if column is None:
            raise ValueError(f'{where}: no path; one of the columns {", ".join(_PATH_COLUMNS)} must name the image.')
        path = _local(table.parent / str(row.pop(column)))
        metadata[path] = {key: value for key, value in row.items() if isinstance(value, str | int | float)}
    return metadata


def _local(path: Path) -> str:
    """The absolute path; backslashes that are no part of a name here were written on Windows."""
    absolute = os.path.abspath(path)
    return absolute if '\\' not in absolute or os.path.exists(absolute) else absolute.replace('\\', '/')


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'pattern {pattern!r:.80} is not a regular expression: {error}.') from error
    if not compiled.groupindex:
        raise ValueError(f'pattern {pattern!r:.80} has no named group, such as (?P<camera>c\\d+).')
    return compiled
