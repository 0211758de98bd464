"""Tables of users, with a column that every row needs: the path of an image, or a sentence."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.datasets.annotation import read_text
from mmtbps.datasets.tables import csv_records, found_columns, jsonl_records

__all__ = ['Row', 'read_table']


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        line: Its place in the file: 'line 2'.
        text: The text of the column that every row needs, which is not blank.
        others: Values of the other columns by name; cells of a CSV are texts.
    """

    line: str
    text: str
    others: dict[str, Any]


def read_table(file: str | Path, names: Sequence[str], what: str) -> Iterator[Row]:
    """Read a CSV file with a header, or a JSONL file with one object a line.

    Args:
        file: The file, '.csv' or '.jsonl'.
        names: Names that the needed column may have; the first one that holds something counts. Names in other letter
            case are taken if there is none of these.
        what: What it holds, such as 'path', for messages.

    Yields:
        The rows.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is no such table, has no row, names a column twice, or a row lacks what is needed.
    """
    file, found = Path(file), False
    if not file.is_file():
        raise FileNotFoundError(f'There is no table {file}.')
    for line, record in _records(file, lambda columns: _check_header(file, columns, names)):
        found = True
        try:
            row = _row(line, record, names, what)
        except ValueError as error:
            raise ValueError(f'{file}, {line}: {error}.') from error
        yield row
    if not found:
        raise ValueError(f'{file} has no row. Write one for each {what}.')


def _records(file: Path, check_header: Callable[[list[str]], None]) -> Iterator[tuple[str, Any]]:
    """Rows and their lines; cells of a CSV are texts."""

    def refuse(message: str, cause: Exception | None) -> None:
        raise ValueError(f'{file}, {message}.') from cause

    kind = file.suffix.lower()
    if kind == '.csv':
        return csv_records(read_text(str(file)), check_header, refuse)
    if kind == '.jsonl':
        return jsonl_records(read_text(str(file)), refuse)
    raise ValueError(
        f"{file}: a table ends in '.csv' (a header, commas between cells) or '.jsonl' (an object a line), not in "
        f'{kind!r}. Save it as one of these.'
    )


def _check_header(file: Path, columns: list[str], names: Sequence[str]) -> None:
    if not columns:
        raise ValueError(f'{file} is empty. Write a header, and a row for each entry below it.')
    if not _among(columns, names):
        raise ValueError(
            f'{file}, line 1: the header must name one of {", ".join(names)}, but {found_columns(columns)}.'
        )
    twice = next((name for number, name in enumerate(columns) if name in columns[:number]), None)
    if twice is not None:
        named = f'the name {twice!r:.80}' if twice else 'no name'
        raise ValueError(f'{file}, line 1: two columns have {named}. Rename or remove one of them.')


def _row(line: str, record: Any, names: Sequence[str], what: str) -> Row:
    if not isinstance(record, dict):
        raise ValueError(f'expected a JSON object, but got {type(record).__name__}')
    known = _among(record, names)
    if not known:
        raise ValueError(f'no {what}; one of {", ".join(names)} must hold it, but there are {list(record)!s:.400}')
    name = next((name for name in known if record[name] not in (None, '')), known[0])
    text = record[name]
    if text is None or (isinstance(text, str) and not text.strip()):
        raise ValueError(f'{name!r} is empty; it must hold the {what}')
    if not isinstance(text, str):
        raise ValueError(f'{name!r} must be a text, but got {text!r:.80}')
    return Row(line, text, {key: value for key, value in record.items() if key != name})


def _among(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Columns of these names, or else of these names in other letter case."""
    there = list(columns)
    found = [name for name in names if name in there]
    return found or [column for name in names for column in there if column.casefold() == name]
