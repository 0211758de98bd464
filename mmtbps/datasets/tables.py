"""Rows of tables that anybody may have written: CSV with a header, and JSONL."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from mmtbps.core.json_text import parse_json

__all__ = ['Reject', 'csv_columns', 'csv_records', 'found_columns', 'jsonl_records']

Reject = Callable[[str, Exception | None], None]
"""Takes a message that begins with the line, and the exception that found the fault; it may raise, or go on."""

_SEPARATORS = {';': 'semicolons', '\t': 'tabs'}


def csv_columns(text: str) -> list[str]:
    """Names in the header of a CSV, without white space around them; none if there is no header.

    Args:
        text: The content of the file.
    """
    return [name.strip() for name in _header(text)]


def found_columns(columns: list[str]) -> str:
    """Say which columns a CSV has, and what probably is between its cells instead of commas.

    Args:
        columns: Names in the header.
    """
    signs = [name for sign, name in _SEPARATORS.items() if len(columns) == 1 and sign in columns[0]]
    hint = f' (save the table with commas, not {signs[0]}, between its cells)' if signs else ''
    return f'its columns, separated by commas, are {columns!s:.400}{hint}'


def csv_records(
    text: str, check_header: Callable[[list[str]], None], reject: Reject
) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the rows of a CSV; empty lines are none.

    Args:
        text: The content of the file.
        check_header: Called once with the names in the header, which have no white space around them; with none if the
            file is empty.
        reject: Called with each row that has more or fewer cells than the header, and with what is no CSV.

    Yields:
        'line 2' (counted from 1, as editors do; the first line of a row that has several), and the cells by column.
    """
    columns: list[str] | None = None
    for where, cells in _csv_rows(text, reject):
        if columns is None:
            columns = [name.strip() for name in cells]
            check_header(columns)
        elif len(cells) != len(columns):
            reject(
                f'{where}: the row has more or fewer cells ({len(cells)}) than the header ({len(columns)}); put a text '
                'with commas into double quotes',
                None,
            )
        else:
            yield where, dict(zip(columns, cells, strict=True))
    if not text.strip():
        check_header([])


def _csv_rows(text: str, reject: Reject) -> Iterator[tuple[str, list[str]]]:
    """The rows that have cells, each with its first line; the first one is the header."""
    # A table whose header has a blank behind each comma has one there in every row.
    spaced = all(name[:1] == ' ' for name in _header(text)[1:] or ['none'])
    reader = csv.reader(io.StringIO(text, newline=''), strict=True, skipinitialspace=spaced)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield f'line {begin}', cells
            begin = reader.line_num + 1
    except csv.Error as error:
        reject(_no_csv(begin, reader.line_num, error), error)


def _header(text: str) -> list[str]:
    """The cells of the first line that has some, with the white space around them."""
    try:
        return next(filter(None, csv.reader(io.StringIO(text, newline=''))), [])
    except csv.Error:  # reading the rows tells what is wrong
        return []


def _no_csv(begin: int, end: int, error: csv.Error) -> str:
    """Say where a row begins that is none; where the next one would begin is not known."""
    to = f' (the row goes on to line {end}: a double quote is missing or needless)' if end > begin else ''
    return f'line {begin}: not valid CSV, {error}{to}; later rows cannot be told apart'


def jsonl_records(text: str, reject: Reject) -> Iterator[tuple[str, Any]]:
    """Read the lines of a JSONL file; blank lines are none.

    Args:
        text: The content of the file.
        reject: Called with each line that is no JSON, or has a key twice.

    Yields:
        'line 1' (counted from 1), and the value there, which should be a dictionary.
    """
    # Not splitlines(): that would also cut at separators which JSON texts may contain.
    for number, line in enumerate(text.split('\n'), 1):
        if not line.strip():
            continue
        try:
            record = parse_json(line, unique=True)
        except ValueError as error:
            reject(f'line {number}: {error}', error)
            continue
        yield f'line {number}', record
