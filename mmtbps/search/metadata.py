"""Metadata of images, from a table or from their paths."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmtbps.core.text import one_line

from .facts import number_or_text, written
from .tables import Row, read_table

__all__ = ['MetadataSource']

_PATH_COLUMNS = ('path', 'image', 'img_path', 'file_path')


class MetadataSource:
    r"""Metadata by image, for filters such as ``camera = c1`` or ``time >= 1200``.

    Args:
        table: A CSV or JSONL file with a column ``path`` (or ``image``, ``img_path``, ``file_path``), relative to the
            table's own folder unless absolute; every other column becomes a metadata field. Empty cells and null are
            no value. Defaults to None: no table.
        pattern: A regular expression with named groups, searched for in each path, such as
            ``r'(?P<camera>c\d+)_(?P<time>\d+)'``; each group becomes a metadata field. Defaults to None: no pattern.

    Raises:
        FileNotFoundError: If the table does not exist.
        ValueError: If the table has no row, or a row without a path, of other length than the header, with a value that
            is neither text nor a number, or that contradicts another one of its image; or if the pattern is invalid or
            has no named group.
    """

    def __init__(self, table: str | Path | None = None, pattern: str | None = None) -> None:
        self.table = None if table is None else Path(table)
        self._of_table = {} if self.table is None else _read_metadata(self.table)
        self._pattern = None if pattern is None else _compile(pattern)
        self._met: set[str] = set()
        self._without_row: set[str] = set()
        self._pattern_met = False
        self._unmatched: dict[str, None] = {}

    def of(self, path: str) -> dict[str, Any]:
        """Metadata of the image with this absolute path; the table takes precedence over the pattern."""
        return {**self._of_pattern(path), **self._row(path)}

    def _of_pattern(self, path: str) -> dict[str, Any]:
        if self._pattern is None:
            return {}
        match = self._pattern.search(path)
        groups = {} if match is None else match.groupdict()
        found: dict[str, Any] = {key: number_or_text(value) for key, value in groups.items() if value is not None}
        if found:
            self._pattern_met = True
        else:
            self._unmatched[path] = None
        return found

    def _row(self, path: str) -> dict[str, Any]:
        """The row of an image; a table may name an image of a linked folder by its real path."""
        named = path if path in self._of_table or not self._of_table else os.path.realpath(path)
        if named in self._of_table:
            self._met.add(named)
        elif self._of_table:
            self._without_row.add(path)
        return self._of_table.get(named, {})

    def require_met(self, first: str) -> list[str]:
        """Check that rows of the table and the pattern meet images, once their metadata have been asked for.

        Args:
            first: Path of the first image, for the message.

        Returns:
            A line if some rows meet none, and one if the pattern does not meet all images.

        Raises:
            ValueError: If no row meets an image, or the pattern meets none.
        """
        return [*self._require_rows(first), *self._require_matches()]

    def _require_rows(self, first: str) -> list[str]:
        total, alone = len(self._of_table), [path for path in self._of_table if path not in self._met]
        if not alone:
            return []
        hint = _near(alone, self._without_row)
        if len(alone) == total:
            raise ValueError(
                f'{self.table}: none of its {total} rows meets an image. The first row names {one_line(alone[0])}, '
                f'the first image is {one_line(first)}. {hint or _PLACE}'
            )
        told = f'{self.table}: {len(alone)} of {total} rows meet no image, such as {one_line(alone[0])}'
        return [f'{told}. {hint}' if hint else told]

    def _require_matches(self) -> list[str]:
        if self._pattern is None or not self._unmatched:
            return []
        pattern, path = self._pattern.pattern, one_line(next(iter(self._unmatched)))
        if not self._pattern_met:
            raise ValueError(
                f'pattern {pattern!r:.80} finds nothing in the paths of the images, such as {path}. It is searched for '
                'in the absolute path, where upper and lower case differ; correct it.'
            )
        return [f'pattern {pattern!r:.80} finds nothing in the paths of {len(self._unmatched)} images, such as {path}']


_PLACE = 'Write paths relative to the folder of the table, or absolute ones.'


def _near(alone: Iterable[str], images: Iterable[str]) -> str:
    """Say that paths of rows would be those of images if letters were compared less strictly; empty if none would."""
    folded = {_folded(path): path for path in images}
    pairs = [(path, folded[_folded(path)]) for path in alone if _folded(path) in folded]
    if not pairs:
        return ''
    path, image = pairs[0]
    case = unicodedata.normalize('NFC', path) != unicodedata.normalize('NFC', image)
    what = 'upper and lower case' if case else 'how Unicode composes their letters (NFC or NFD)'
    return (
        f'{len(pairs)} of them would meet one but for {what}, such as {one_line(image)}: write paths as the files are '
        'named.'
    )


def _folded(path: str) -> str:
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', path).casefold())


def _read_metadata(table: Path) -> dict[str, dict[str, Any]]:
    metadata: dict[str, dict[str, Any]] = {}
    lines: dict[str, str] = {}
    fields = False
    for row in read_table(table, _PATH_COLUMNS, 'path'):
        fields = fields or bool(row.others)
        path = _local(table.parent, row.text)
        known, found = metadata.setdefault(path, {}), _facts(table, row)
        for name in known.keys() & found.keys():
            if written(known[name]) != written(found[name]):
                raise ValueError(
                    f'{table}: {lines[path]} and {row.line} contradict each other about {one_line(path)}: '
                    f'{name!r:.80} is {known[name]!r:.80} and {found[name]!r:.80}. Correct one of them.'
                )
        known.update(found)
        lines.setdefault(path, row.line)
    if not fields:
        raise ValueError(f'{table} has paths alone. Add a column for each field, such as camera.')
    return metadata


def _facts(table: Path, row: Row) -> dict[str, Any]:
    """Values of a row by name; those of a CSV are written, and what is empty is none."""
    if table.suffix.lower() == '.csv':
        return {name: number_or_text(cell) for name, cell in row.others.items() if cell}
    for name, value in row.others.items():
        if not isinstance(value, str | int | float | None):
            raise ValueError(
                f'{table}, {row.line}: {name!r:.80} must be a text or a number, but got {value!r:.80}. Write it as one '
                'of these, or as several keys.'
            )
    return {name: value for name, value in row.others.items() if value is not None}


def _local(folder: Path, text: str) -> str:
    """The absolute path of a cell, whose backslashes are no part of a name here if it was written on Windows."""
    as_written = os.path.abspath(os.path.join(folder, text))
    if '\\' not in text or os.path.exists(as_written):
        return as_written
    return os.path.abspath(os.path.join(folder, text.replace('\\', '/')))


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'pattern {pattern!r:.80} is not a regular expression: {error}.') from error
    if not compiled.groupindex:
        raise ValueError(f'pattern {pattern!r:.80} has no named group, such as (?P<camera>c\\d+).')
    return compiled
