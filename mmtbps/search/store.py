"""Storage of a gallery: features and images, in memory or in a folder, block by block."""

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.files import file_inside, write_atomically

from .encoders.base import Fingerprint
from .listing import GalleryImage
from .shards import Shard, read_shard, write_shard

__all__ = ['FORMAT', 'MANIFEST', 'GalleryStore']

MANIFEST = 'index.json'
FORMAT = 2
"""Version of the folder's format; increased when older versions of the library can no longer read it."""


class GalleryStore:
    """Features and images of a gallery. An image has a row, which it keeps until it is removed.

    Rows are only ever appended: a removed image leaves a dead row behind, a changed one gets a new row. In a folder
    each block of rows is one file, and ``index.json`` lists the valid files and their dead rows. Both are written
    atomically, so that a killed process loses at most the block it was working on.

    Args:
        fingerprint: Identifies the model and preprocessing of the features.
        folder: Where blocks are stored. Defaults to None: in memory, until :meth:`save`.

    Attributes:
        images: The image of each row.
        alive: Which rows are valid, bool (number of rows,).
        identity: Unique id of the gallery. Within one gallery, a row number always means the same image.
        metadata_names: Names of the metadata fields that at least one image has.
        extra: Further entries of ``index.json``, in which the gallery keeps its index and encoder configs.
    """

    def __init__(self, fingerprint: Fingerprint, folder: str | Path | None = None) -> None:
        self.fingerprint = fingerprint
        self.folder = None if folder is None else Path(folder)
        self.images: list[GalleryImage] = []
        self.alive = np.zeros(0, dtype=bool)
        self.identity = uuid.uuid4().hex
        self.metadata_names: set[str] = set()
        self.extra: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        self._shards: list[Shard] = []
        self._files: list[dict[str, Any]] = []
        self._starts = [0]
        self._manifest = b''

    @property
    def num_rows(self) -> int:
        """Number of rows, dead ones included."""
        return self._starts[-1]

    @property
    def dim(self) -> int:
        """Width D of a feature; 0 while the gallery is empty."""
        return self._shards[0].features.size(1) if self._shards else 0

    def __len__(self) -> int:
        """Number of images, that is of live rows."""
        return len(self._rows)

    def __contains__(self, path: str) -> bool:
        return path in self._rows

    def paths(self) -> list[str]:
        """Paths of the images."""
        return list(self._rows)

    def row(self, path: str) -> int:
        """The row of an image of the gallery."""
        return self._rows[path]

    def append(self, shard: Shard) -> None:
        """Add a block; images with the same path are replaced. With a folder the block is written immediately.

        Args:
            shard: The block; one without images is ignored.

        Raises:
            ValueError: If the features come from another model or have another width.
        """
        self.fingerprint.require(shard.fingerprint, 'The block of features')
        if not len(shard.images):
            return
        if self._shards and shard.features.size(1) != self.dim:
            raise ValueError(f'The gallery has features of width {self.dim}, the block has {shard.features.size(1)}.')
        entry: dict[str, Any] = {}
        if self.folder is not None:
            entry = _write_block(self.folder, len(self._shards), shard)
        self._admit(shard, entry)
        self.commit()

    def remove(self, paths: Iterable[str]) -> None:
        """Mark the rows of images as dead; call :meth:`commit` afterwards."""
        for path in paths:
            self.alive[self._rows.pop(path)] = False

    def take(self, rows: Tensor) -> Tensor:
        """Gather the features of some rows (n,) int64: (n, D)."""
        # NumPy, since a few rows are gathered for every query: its calls cost a tenth of torch's.
        numbers, features = rows.numpy(), np.empty((len(rows), self.dim), dtype=np.float32)
        shard = np.searchsorted(self._starts, numbers, side='right') - 1
        for number in set(shard.tolist()):
            chosen = shard == number
            features[chosen] = self._shards[number].features.numpy()[numbers[chosen] - self._starts[number]]
        return torch.from_numpy(features)

    def blocks(self, start: int = 0) -> Iterator[tuple[int, Tensor]]:
        """Iterate over the features, starting at a row.

        Args:
            start: The first row. Defaults to 0.

        Yields:
            The number of the first row of a block, and its features.
        """
        for begin, end, shard in zip(self._starts, self._starts[1:], self._shards, strict=False):
            if end > start:
                skip = max(0, start - begin)
                yield begin + skip, shard.features[skip:]

    def _admit(self, shard: Shard, entry: dict[str, Any]) -> None:
        """Append a block in memory and mark the rows that it replaces as dead."""
        first = self.num_rows
        self.remove(image.path for image in shard.images if image.path in self._rows)
        self._rows.update((image.path, first + offset) for offset, image in enumerate(shard.images))
        self._shards.append(Shard(shard.features, (), shard.fingerprint))
        self._files.append(entry)
        self._starts.append(first + len(shard.images))
        self.images.extend(shard.images)
        self.metadata_names.update(*(image.metadata for image in shard.images))
        self.alive = np.concatenate([self.alive, np.ones(len(shard.images), dtype=bool)])

    def commit(self) -> None:
        """Write ``index.json``, if there is a folder; files that it does not list are ignored."""
        if self.folder is None:
            return
        shards = []
        for start, end, entry in zip(self._starts, self._starts[1:], self._files, strict=False):
            dead = np.flatnonzero(~self.alive[start:end]).tolist()
            shards.append(dict(entry, dead=dead))
        known = dict(format=FORMAT, identity=self.identity, fingerprint=self.fingerprint.to_dict())
        content = dict(self.extra, **known, shards=shards)
        self._manifest = json.dumps(content, indent=1).encode()
        write_atomically(self.folder / MANIFEST, self._manifest)

    def outdated(self) -> bool:
        """Whether another process has changed the folder since it was read or written here."""
        return self.folder is not None and (self.folder / MANIFEST).read_bytes() != self._manifest

    def save(self, folder: str | Path) -> None:
        """Write everything to a folder, which the gallery uses from then on.

        Args:
            folder: An empty or new folder, or the gallery's own.

        Raises:
            FileExistsError: If the folder holds another gallery.
        """
        folder = Path(folder)
        if self.folder is not None and folder.absolute() == self.folder.absolute():
            return
        if (folder / MANIFEST).exists():
            raise FileExistsError(f'{folder} already holds a gallery. Choose another folder or remove that one.')
        self.folder = folder
        self._files = [
            _write_block(folder, number, Shard(shard.features, self.images[start:end], shard.fingerprint))
            for number, (shard, start, end) in enumerate(
                zip(self._shards, self._starts, self._starts[1:], strict=False)
            )
        ]
        self.commit()

    @classmethod
    def load(cls, folder: str | Path) -> 'GalleryStore':
        """Read a folder; features stay on disk and are mapped into memory.

        Args:
            folder: A folder that :meth:`save` or indexing wrote.

        Raises:
            FileNotFoundError: If the folder holds no gallery.
            ValueError: If it cannot be read, or was written in another format.
        """
        content, manifest = _read_manifest(folder)
        store = cls(Fingerprint(**content.pop('fingerprint')), folder)
        store.identity = content.pop('identity')
        store._manifest = manifest
        for entry in content.pop('shards'):
            shard = read_shard(file_inside(folder, entry['file'], str(Path(folder) / MANIFEST)))
            if len(shard.images) != entry['count']:
                raise ValueError(f'{folder}/{entry["file"]} does not match {MANIFEST}. Index again.')
            dead = entry.pop('dead')
            start = store.num_rows
            store._admit(shard, entry)
            store.remove(
                path for offset in dead if store._rows.get(path := store.images[start + offset].path) == start + offset
            )
        store.extra = {key: value for key, value in content.items() if key != 'format'}
        return store


def _write_block(folder: Path, number: int, shard: Shard) -> dict[str, Any]:
    name = f'features/{number:06d}.safetensors'
    return dict(file=name, sha256=write_shard(folder / name, shard), count=len(shard.images))


def _read_manifest(folder: str | Path) -> tuple[dict[str, Any], bytes]:
    """Read ``index.json``, parsed and as bytes."""
    file = Path(folder) / MANIFEST
    if not file.is_file():
        raise FileNotFoundError(
            f'There is no gallery in {folder}: {MANIFEST} is missing. Create one with tools/search.py index or '
            'Searcher.index.'
        )
    try:
        manifest = file.read_bytes()
        content = json.loads(manifest)
        version = content['format']
        content['fingerprint'], content['identity'], content['shards']
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f'{file} cannot be read as the manifest of a gallery ({error!r}). Index again.') from error
    if version != FORMAT:
        raise ValueError(f'{file} has format {version}, this library reads {FORMAT}. Index again.')
    return content, manifest
