"""The table of the crops, and what is known of the videos that they are from."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mmtbps.core.files import file_inside, remove_leftovers, write_atomically
from mmtbps.core.json_text import format_json, parse_json
from mmtbps.core.text import printable

__all__ = ['COLUMNS', 'TABLE', 'CropTable', 'crop_path', 'plain_name', 'plain_number', 'sole_cropper']

TABLE = 'crops.csv'
"""Name of the table in the folder of the crops."""

COLUMNS = ('path', 'camera', 'time', 'frame', 'x1', 'y1', 'x2', 'y2', 'score', 'source')
"""Columns of the table; ``path`` is relative to its folder."""

_RECORD = '.crops.json'
_NAME = re.compile(r'[\w-][\w.-]*')
_CROP = re.compile(r'(?P<label>[\w-][\w.-]*)_\d{7,}\.\d{3}_\d+_\d+\.jpg')
_LONGEST_NAME = 100
"""Bytes of a name in UTF-8: the name of a file may have 255, in which time, numbers and a suffix follow."""


@contextmanager
def sole_cropper(out: str | os.PathLike) -> Iterator[None]:
    """Lock a folder of crops against other processes.

    Raises:
        RuntimeError: If another process is writing crops there.
    """
    Path(out).mkdir(parents=True, exist_ok=True)
    lock = FileLock(Path(out, '.lock'), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RuntimeError(
            f'Another process is writing crops into {printable(os.fspath(out))}; wait for it or choose another folder.'
        ) from error
    try:
        yield
    finally:
        lock.release()


class CropTable:
    """``crops.csv`` and the record of the videos beside it, in memory until :meth:`write`.

    Args:
        out: Folder of the crops.

    Raises:
        ValueError: If there is a table of other columns, or one that cannot be read.
    """

    def __init__(self, out: str | os.PathLike) -> None:
        self.out = Path(out)
        self._rows = _read_rows(self.out / TABLE)
        self._record = _read_record(self.out / _RECORD) if (self.out / TABLE).exists() else {}
        for path, row in self._rows.items():
            if match := _CROP.fullmatch(path.rpartition('/')[2]):  # the record may be lost
                self._record.setdefault(row['source'], {}).setdefault('label', match['label'])

    def __len__(self) -> int:
        """How many crops there are."""
        return len(self._rows)

    def label(self, source: str, name: str) -> str:
        """Name a source among the crops: as it was named before, else by its own name, with a number if that is taken.

        Args:
            source: Absolute path of the video or folder.
            name: Its name.

        Returns:
            A part of file names that no other source has, letter case aside.
        """
        known = self._record.setdefault(printable(source), {})
        if 'label' not in known:
            taken = {str(other.get('label')).casefold() for other in self._record.values()}
            plain, number = plain_name(name), 1
            known['label'] = plain
            while known['label'].casefold() in taken:
                number += 1
                known['label'] = f'{plain}-{number}'
        return known['label']

    def finished(self, source: str, state: Mapping[str, Any]) -> bool:
        """Whether a source was cropped to its end, as it is now and with the same settings."""
        return self._record.get(printable(source), {}).get('state') == json.loads(json.dumps(state))

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a crop, or replace the one of the same path."""
        self._rows[row['path']] = {name: str(row[name]) for name in COLUMNS}

    def begin(self, source: str) -> None:
        """Note that a source is not finished; its crops of an earlier run stay until :meth:`finish`."""
        self._record[printable(source)].pop('state', None)

    def finish(self, source: str, state: Mapping[str, Any], paths: set[str]) -> None:
        """Note that a source is finished, and remove crops of it that earlier runs with other settings made.

        Args:
            source: Absolute path of the video or folder.
            state: What decided the crops.
            paths: The crops, as in the column ``path``.
        """
        self._record[printable(source)]['state'] = dict(state)
        old = {path for path, row in self._rows.items() if row['source'] == printable(source)}
        # A killed run may have left crops that are in no table yet.
        label, folders = self._record[printable(source)]['label'], {os.path.dirname(path) for path in old | paths}
        old |= {path for folder in folders for path in self._crops_of(label, folder)}
        for path in old - paths:
            self._rows.pop(path, None)
        self.write()
        for path in old - paths:
            file_inside(self.out, path, str(self.out / TABLE)).unlink(missing_ok=True)

    def _crops_of(self, label: str, folder: str) -> Iterator[str]:
        where = file_inside(self.out, folder, str(self.out / TABLE))
        for name in os.listdir(where) if where.is_dir() else ():
            if (match := _CROP.fullmatch(name)) and match['label'] == label:
                yield f'{folder}/{name}'

    def write(self) -> None:
        """Write the table, and then the record, each at once or not at all."""
        content = io.StringIO()
        writer = csv.DictWriter(content, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(row for _, row in sorted(self._rows.items()))
        write_atomically(self.out / TABLE, content.getvalue().encode())
        write_atomically(self.out / _RECORD, format_json(self._record).encode())

    def clean(self) -> None:
        """Remove what killed runs have left half-written."""
        folders = {self.out, *((self.out / path).parent for path in self._rows)}
        for folder in folders:
            remove_leftovers(folder)


def crop_path(camera: str, label: str, time: float, frame: int, number: int) -> str:
    """Name a crop so that names of one source sort by time.

    Args:
        camera: Its folder.
        label: Of the source, see :meth:`CropTable.label`.
        time: Seconds in the source, in the name with milliseconds and at least seven digits before them (115 days).
        frame: Number of the frame.
        number: Number of the person in the frame.

    Returns:
        The path, relative to the folder of the table.
    """
    return f'{camera}/{label}_{time:011.3f}_{frame:06d}_{number:02d}.jpg'


def plain_name(name: str) -> str:
    """Turn the name of a video into one that every file system and every filter takes, not hidden and not too long."""
    plain = re.sub(r'[^\w.-]+', '_', printable(name)).encode()[:_LONGEST_NAME].decode(errors='ignore').strip('._')
    return plain or 'video'


def plain_number(value: float, digits: int) -> int | float:
    """Round a number so that a table writes it without an exponent, and without a point if it is whole."""
    rounded = round(float(value), digits)
    return int(rounded) if rounded == int(rounded) else rounded


def _read_rows(file: Path) -> dict[str, dict[str, str]]:
    if not file.exists():
        return {}
    try:
        reader = csv.DictReader(io.StringIO(file.read_bytes().decode('utf-8'), newline=''))
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f'its columns are {", ".join(reader.fieldnames or ["none"]):.200}')
        return {row['path']: row for row in reader if None not in row and None not in row.values()}
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f'{file} is no table of crops that can be continued: {error}. Choose another folder, or move it away.'
        ) from error


def _read_record(file: Path) -> dict[str, dict[str, Any]]:
    """What is known of each source; a record that cannot be read is as good as none: everything is done again."""
    try:
        record = parse_json(file.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {
        source: known
        for source, known in record.items()
        if isinstance(known, dict) and isinstance(known.get('label'), str) and _NAME.fullmatch(known['label'])
    }
