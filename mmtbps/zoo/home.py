"""The folder where fetched models live, and the list with what the user adds to it."""

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmtbps.core.json_text import parse_json

from .entries import ENTRIES, Entry

__all__ = ['entry_named', 'home', 'known_entries', 'model_files', 'own_list']

_OWN = 'models.json'


def home() -> Path:
    """The folder of everything that is fetched: ``$MMTBPS_HOME``, or ``~/.cache/mmtbps``.

    It can be copied to a machine without network.
    """
    return Path(os.environ.get('MMTBPS_HOME') or Path.home() / '.cache' / 'mmtbps').expanduser()


def model_files(name: str) -> tuple[Path, Path]:
    """Config and weights of a fetched model; they need not be there."""
    folder = home() / 'models' / name
    return folder / 'model.py', folder / 'model.pth'


def own_list() -> Path:
    """The user's own list, which may not be there: entries by name, or other addresses of known ones."""
    return home() / _OWN


def known_entries() -> dict[str, Entry]:
    """All entries by name, with those of the user's own list.

    Raises:
        ValueError: If that list is no object of entries.
    """
    entries = {entry.name: entry for entry in ENTRIES}
    for name, fields in _read_own().items():
        base = entries.get(name)
        try:
            if base is None:
                entries[name] = Entry(**{'name': name, 'title': name, **fields})
            else:
                entries[name] = dataclasses.replace(base, **fields)
            _require_kinds(entries[name])
            digest = entries[name].sha256
            entries[name] = dataclasses.replace(entries[name], sha256=None if digest is None else digest.lower())
        except TypeError as error:
            raise ValueError(f'{own_list()}: the entry {name!r} is not valid: {error}.') from error
    return entries


def entry_named(name: str) -> Entry:
    """Find an entry.

    Raises:
        ValueError: If there is none.
    """
    entries = known_entries()
    if name not in entries:
        near = difflib.get_close_matches(name.lower(), entries, 1)
        hint = f'did you mean {near[0]}?' if near else f'known are {", ".join(entries)}.'
        raise ValueError(f'There is no published model {name!r}; {hint}')
    return entries[name]


def _read_own() -> Mapping[str, Mapping[str, Any]]:
    file = own_list()
    if not file.is_file():
        return {}
    try:
        content = parse_json(file.read_bytes())
    except ValueError as error:
        raise ValueError(f'{file}: {error}. Correct or remove it.') from error
    if not isinstance(content, dict) or not all(isinstance(fields, dict) for fields in content.values()):
        raise ValueError(f'{file} must hold an object with an entry, itself an object, for each name.')
    return content


def _require_kinds(entry: Entry) -> None:
    """Refuse values of other kinds."""
    texts = ('name', 'title', 'layout', 'code_licence', 'weights_licence', 'citation', 'source')
    may_be_none = ('address', 'page', 'sha256', 'work_dir')
    for name in (*texts, *may_be_none):
        value = getattr(entry, name)
        if not (isinstance(value, str) or (value is None and name in may_be_none)):
            raise TypeError(f'{name} must be text, got {value!r}')
    if not re.fullmatch(r'\w[\w.-]*', entry.name):
        raise TypeError(f'a name has letters, digits, and . - _ only, got {entry.name!r}')
    if entry.size is not None and type(entry.size) is not int:
        raise TypeError(f'size must be a number of bytes, got {entry.size!r}')
    if not (isinstance(entry.options, list | tuple) and all(isinstance(option, str) for option in entry.options)):
        raise TypeError(f'options must be a list of texts, got {entry.options!r}')
    for name in ('published', 'transfer'):
        figures = getattr(entry, name)
        if not (isinstance(figures, Mapping) and all(isinstance(one, int | float) for one in figures.values())):
            raise TypeError(f'{name} must be an object of figures by data set, got {figures!r}')
