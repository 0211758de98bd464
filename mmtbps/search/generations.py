"""Files of a gallery: one manifest for each generation, the files that it lists, and what an update has finished.

A generation is what a reader sees: the manifest, which is replaced by one rename, and the files that it lists, which
are never changed once they are written. Whoever has opened the files of a generation keeps it: an open or mapped file
outlives its name. Files of the last but one generation are removed when a new one is published.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtbps.core.files import file_inside, file_sha256, remove_leftovers, write_atomically
from mmtbps.core.json_text import parse_json

__all__ = [
    'BUILT',
    'FEATURES',
    'FORMAT',
    'MANIFEST',
    'PENDING',
    'Manifest',
    'as_read',
    'describe_file',
    'drop_pending',
    'few_bytes',
    'read_manifest',
    'read_pending',
    'read_sealed',
    'remove_unlisted',
    'require_whole',
    'signature_of',
    'verify_gallery',
    'write_pending',
    'write_sealed',
]

MANIFEST, PENDING = 'index.json', 'pending.json'
FEATURES, BUILT = 'features', 'index'
"""Folders inside a gallery: blocks of features, and files of the vector index."""

FORMAT = 3
"""Version of the folder's format; increased when other versions of the library cannot read it."""

_SEAL = 'sha256'

_CHECKED = 2**28
"""Files of this many bytes together are compared with their checksums whenever they are opened: a quarter second."""


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was read.

    Args:
        content: Its entries.
        signature: Tells the file from another one of the same name.
    """

    content: dict[str, Any]
    signature: tuple[int, ...]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What it says of the files that belong to the generation."""
        built = self.content.get('built') or {}
        return [*self.content['shards'], *([built] if 'file' in built else [])]


def as_read(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give JSON's keys and sequences the kinds that they will be read with."""
    return json.loads(json.dumps(content))


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically, with a checksum of its content."""
    plain = as_read(content)
    write_atomically(path, json.dumps(dict(plain, **{_SEAL: _seal(plain)}), indent=1).encode())


def read_sealed(path: Path) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Read what :func:`write_sealed` wrote, and the file's signature.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no JSON object or was altered.
    """
    with open(path, 'rb') as file:
        signature = _signature(os.fstat(file.fileno()))
        try:
            content = parse_json(file.read(), finite=False)
        except ValueError as error:
            raise ValueError(f'{path} is damaged ({error}).') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} is damaged: it holds no JSON object.')
    if content.pop(_SEAL, None) != _seal(content):
        raise ValueError(f'{path} was changed after it was written: its checksum differs.')
    return content, signature


def signature_of(path: Path) -> tuple[int, ...]:
    """Tell a file from another one that took its name; empty if there is none."""
    try:
        return _signature(os.stat(path))
    except OSError:
        return ()


def read_manifest(folder: str | Path) -> Manifest:
    """Read the manifest of a gallery.

    Raises:
        FileNotFoundError: If the folder holds no gallery.
        ValueError: If the manifest is damaged, or was written in another format.
    """
    file = Path(folder) / MANIFEST
    if not file.is_file():
        raise FileNotFoundError(
            f'There is no gallery in {folder}: {MANIFEST} is missing. Create one, or finish one whose indexing was '
            'interrupted, with mmtbps search index or Searcher.index.'
        )
    version = _format_of(file)
    if version not in (None, FORMAT):
        raise ValueError(
            f'{file} has format {version!r:.80}, this library reads {FORMAT}. Index again into a new folder.'
        )
    try:
        content, signature = read_sealed(file)
    except ValueError as error:
        raise ValueError(
            f'{error} It cannot be read as the manifest of a gallery. Index again into a new folder.'
        ) from error
    _require_entries(content, file)
    return Manifest(content, signature)


def describe_file(folder: Path, name: str) -> dict[str, Any]:
    """What a manifest says of a file: its name in the gallery's folder, its size and its checksum."""
    return dict(file=name, bytes=(folder / name).stat().st_size, sha256=file_sha256(folder / name))


def few_bytes(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether files are small enough together for comparing their checksums whenever they are opened."""
    sizes = [entry.get('bytes') for entry in entries]
    return sum(size for size in sizes if type(size) is int) <= _CHECKED


def require_whole(folder: str | Path, entry: Mapping[str, Any], thorough: bool) -> Path:
    """Find a file that a manifest lists.

    Args:
        folder: Folder of the gallery.
        entry: What the manifest says of the file.
        thorough: Whether to compare its checksum; its size always is.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it was cut short or changed, or is not in the folder.
    """
    path = file_inside(folder, entry.get('file'), str(Path(folder) / MANIFEST))
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing, which {MANIFEST} lists. Index again into a new folder.')
    size = path.stat().st_size
    if size != entry.get('bytes'):
        raise ValueError(f'{path} has {size} bytes instead of {entry.get("bytes")!r}. Index again into a new folder.')
    if thorough and file_sha256(path) != entry.get('sha256'):
        raise ValueError(
            f'{path} was changed after it was written: its checksum differs. Index again into a new folder.'
        )
    return path


def verify_gallery(folder: str | Path) -> list[str]:
    """Compare every file of a gallery with the size and checksum in its manifest.

    Returns:
        A sentence for each file that is missing or was changed; none if all are as they were written.

    Raises:
        FileNotFoundError: If the folder holds no gallery.
        ValueError: If the manifest is damaged, or was written in another format.
    """
    found = []
    for entry in read_manifest(folder).entries:
        try:
            require_whole(folder, entry, thorough=True)
        except (OSError, ValueError) as error:
            found.append(str(error))
    return found


def write_pending(folder: Path, follows: list[Any], blocks: list[dict[str, Any]]) -> None:
    """Note the blocks that an update has finished and not published; ``follows`` says after which generation."""
    write_sealed(folder / PENDING, dict(follows=follows, blocks=blocks))


def read_pending(folder: Path, follows: list[Any]) -> list[dict[str, Any]]:
    """Read what :func:`write_pending` noted after the same generation; nothing if it cannot be read."""
    try:
        content, _ = read_sealed(folder / PENDING)
    except (OSError, ValueError):
        return []
    blocks = content.get('blocks') if content.get('follows') == follows else None
    return [entry for entry in blocks if isinstance(entry, dict)] if isinstance(blocks, list) else []


def drop_pending(folder: Path) -> None:
    """Forget the blocks that were noted."""
    (folder / PENDING).unlink(missing_ok=True)


def remove_unlisted(folder: Path, listed: Iterable[str]) -> None:
    """Remove files of a gallery that no manifest lists, and what killed writes have left; for the sole writer."""
    kept = set(listed)
    remove_leftovers(folder)
    for part in (FEATURES, BUILT):
        for path in (folder / part).glob('*'):
            if f'{part}/{path.name}' not in kept and not path.is_dir():
                path.unlink(missing_ok=True)


def _require_entries(content: Mapping[str, Any], file: Path) -> None:
    """Refuse a manifest whose entries have other kinds than those that are written."""
    kinds = dict(
        format=int, generation=int, epoch=int, next_file=int, identity=str, fingerprint=dict, shards=list, built=dict
    )
    wrong = [name for name, kind in kinds.items() if type(content.get(name)) is not kind]
    wrong += [
        f'shards[{number}]'
        for number, entry in enumerate(content['shards'] if 'shards' not in wrong else [])
        if not (isinstance(entry, dict) and type(entry.get('count')) is int and isinstance(entry.get('dead'), list))
    ]
    if wrong:
        raise ValueError(f'{file} has no valid entry {wrong[0]}. Index again into a new folder.')


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _format_of(file: Path) -> Any:
    try:
        return parse_json(file.read_bytes(), finite=False)['format']
    except (ValueError, KeyError, TypeError):
        return None
