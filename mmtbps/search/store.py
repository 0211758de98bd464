"""Features and images of a gallery, in memory or in a folder."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.text import require_utf8

from .columns import Columns
from .encoders.base import Fingerprint
from .generations import (
    FEATURES,
    FORMAT,
    MANIFEST,
    Manifest,
    as_read,
    drop_pending,
    few_bytes,
    read_manifest,
    read_pending,
    remove_unlisted,
    require_whole,
    signature_of,
    write_pending,
    write_sealed,
)
from .listing import GalleryImage
from .shards import Shard, read_shard, write_shard

__all__ = ['GalleryStore']

BLOCK = 8192
"""Images of a block that is put together from small or thinned ones: 8 MB at 256 numbers each."""

_SMALL, _MOST_SMALL = 1024, 32
"""Blocks below the first number are small, and more of them than the second are put together."""


class GalleryStore:
    """Features and images of a gallery. An image has a row, which it keeps until it is removed.

    Rows are appended: a removed image leaves a dead row behind, a changed one gets a new row; :meth:`tidy` drops dead
    rows when they are many. In a folder each block of rows is one file. :meth:`publish` makes all changes visible to
    readers at once, by replacing the manifest; until then finished blocks are noted beside it, so that a killed process
    loses the block it was working on and the next writer goes on from there.

    Args:
        fingerprint: Identifies the model and preprocessing of the features.
        folder: Where blocks are stored. Defaults to None: in memory, until :meth:`save`.

    Attributes:
        images: The image of each row.
        alive: Which rows are valid, bool (number of rows,).
        metadata_names: Names of the metadata fields that at least one image has.
        extra: Further entries of the manifest, in which the gallery keeps its index and encoder configs.
        generation: Number of the published generation; 0 before the first.
        built: What the manifest says of the vector index that was built.
    """

    def __init__(self, fingerprint: Fingerprint, folder: str | Path | None = None) -> None:
        self.fingerprint = fingerprint
        self.folder = None if folder is None else Path(folder)
        self.images: list[GalleryImage] = []
        self.alive = np.zeros(0, dtype=bool)
        self.metadata_names: set[str] = set()
        self.extra: dict[str, Any] = {}
        self.generation = 0
        self.built: dict[str, Any] = {}
        self._identity, self._epoch = uuid.uuid4().hex, 0
        self._rows: dict[str, int] = {}
        self._shards: list[Shard] = []
        self._files: list[dict[str, Any]] = []
        self._starts = [0]
        self._columns: Columns | None = None
        self._next_file = 0
        self._published: dict[str, Any] = {}
        self._signature: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """Tells galleries apart: as long as it stays, a row number means the same image."""
        return f'{self._identity}-{self._epoch}'

    @property
    def num_rows(self) -> int:
        """Number of rows, dead ones included."""
        return self._starts[-1]

    @property
    def dim(self) -> int:
        """Width D of a feature; 0 while the gallery is empty."""
        return self._shards[0].features.size(1) if self._shards else 0

    @property
    def columns(self) -> Columns:
        """Metadata of the rows by field."""
        if self._columns is None:
            self._columns = Columns(self.images)
        return self._columns

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
        self._admit(shard, self._write(shard))
        if self.folder is not None:
            write_pending(self.folder, self._place(), self._unpublished())

    def remove(self, paths: Iterable[str]) -> None:
        """Mark the rows of images as dead; readers see it after :meth:`publish`."""
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

    def tidy(self) -> None:
        """Drop dead rows if they are more than half as many as the live ones, and put small blocks together.

        Dropping rows gives the others new numbers, and the gallery another :attr:`identity`.
        """
        if 2 * (self.num_rows - len(self)) > len(self):
            self._rearrange(0, np.flatnonzero(self.alive))
            self._epoch += 1
        small = [end - start < _SMALL for start, end in pairwise(self._starts)]
        if sum(small) > _MOST_SMALL:
            kept = small.index(True)
            self._rearrange(kept, np.arange(self._starts[kept], self.num_rows))

    def publish(self, built: Mapping[str, Any]) -> None:
        """Make all changes visible to readers of the folder, by one rename.

        Args:
            built: What to say of the vector index that was built, see :meth:`VectorIndex.save`.

        Raises:
            ValueError: If the gallery is in memory.
        """
        if self.folder is None:
            raise ValueError('A gallery in memory has no readers; save it first.')
        shards = [
            dict(entry, dead=np.flatnonzero(~self.alive[start:end]).tolist())
            for (start, end), entry in zip(pairwise(self._starts), self._files, strict=True)
        ]
        content = as_read(dict(
            self.extra, format=FORMAT, identity=self._identity, epoch=self._epoch, next_file=self._next_file,
            fingerprint=self.fingerprint.to_dict(), shards=shards, built=dict(built),
        ))  # fmt: skip
        fresh = content != self._published
        if fresh:
            write_sealed(self.folder / MANIFEST, dict(content, generation=self.generation + 1))
        drop_pending(self.folder)
        # Readers that have read the last manifest may not have opened its files yet.
        remove_unlisted(self.folder, {entry['file'] for entry in (*_entries(self._published), *_entries(content))})
        if fresh:
            self._set_published(content, self.generation + 1)

    def outdated(self) -> bool:
        """Whether another process has published a generation since this one was read or written."""
        return self.folder is not None and signature_of(self.folder / MANIFEST) != self._signature

    def continue_pending(self) -> None:
        """Take up the blocks that an interrupted update has finished; for the sole writer."""
        if self.folder is None:
            return
        for entry in read_pending(self.folder, self._place()):
            with suppress(OSError, ValueError):  # what cannot be used is encoded again
                shard = _read_block(self.folder, entry, thorough=True)
                self.fingerprint.require(shard.fingerprint, 'The block of features')
                self._admit(shard, entry)
            self._next_file = max(self._next_file, _number(entry) + 1)

    def save(self, folder: str | Path) -> None:
        """Move to a folder, to which everything is written; :meth:`publish` makes it a gallery.

        Args:
            folder: An empty or new folder, or the gallery's own.

        Raises:
            FileExistsError: If the folder holds another gallery.
        """
        folder = Path(folder)
        self.require_free(folder)
        if self.stored_in(folder):
            return
        if len(self):
            drop_pending(folder)
        self.folder, self.generation, self.built = folder, 0, {}
        self._published, self._next_file, self._signature = {}, 0, ()
        self._files = [
            self._write(Shard(shard.features, self.images[start:end], shard.fingerprint))
            for shard, (start, end) in zip(self._shards, pairwise(self._starts), strict=True)
        ]

    def stored_in(self, folder: Path) -> bool:
        """Whether the folder is the gallery's own."""
        return self.folder is not None and folder.absolute() == self.folder.absolute()

    def require_free(self, folder: Path) -> None:
        """Raise FileExistsError if the folder holds another gallery, and ValueError if its name is no UTF-8."""
        require_utf8(folder)
        if not self.stored_in(folder) and (folder / MANIFEST).exists():
            raise FileExistsError(f'{folder} already holds a gallery. Choose another folder or remove that one.')

    @classmethod
    def load(cls, folder: str | Path) -> 'GalleryStore':
        """Read the published generation of a folder; features stay on disk and are mapped into memory.

        Sizes of all files are compared with the manifest, and so are checksums, unless the files have more than 256 MB
        together; :func:`~mmtbps.search.generations.verify_gallery` compares those.

        Args:
            folder: Folder of a gallery.

        Raises:
            FileNotFoundError: If the folder holds no gallery, or a file of it is missing.
            ValueError: If a file is damaged, or the gallery was written in another format.
        """
        while True:
            manifest = read_manifest(folder)
            try:
                return cls._open(Path(folder), manifest)
            except (OSError, ValueError):
                # Files of a generation may go while they are being opened, if two others came meanwhile.
                if signature_of(Path(folder) / MANIFEST) == manifest.signature:
                    raise

    @classmethod
    def _open(cls, folder: Path, manifest: Manifest) -> 'GalleryStore':
        content = dict(manifest.content)
        generation = content.pop('generation')
        store = cls(_fingerprint(content['fingerprint'], folder), folder)
        store._identity, store._epoch, store._next_file = (content[key] for key in ('identity', 'epoch', 'next_file'))
        thorough = few_bytes(manifest.entries)
        for entry in content['shards']:
            shard = _read_block(folder, entry, thorough)
            start = store.num_rows
            store._admit(shard, {key: value for key, value in entry.items() if key != 'dead'})
            for row in (start + offset for offset in _offsets(entry['dead'], shard, folder)):
                store.alive[row] = False
                if store._rows.get(path := store.images[row].path) == row:  # else a later row of the block replaced it
                    del store._rows[path]
        store._set_published(content, generation)
        store._signature = manifest.signature
        known = ('format', 'identity', 'epoch', 'next_file', 'fingerprint', 'shards', 'built')
        store.extra = {key: value for key, value in content.items() if key not in known}
        return store

    def _set_published(self, content: dict[str, Any], generation: int) -> None:
        self._published, self.built, self.generation = content, content['built'], generation
        if self.folder is not None:
            self._signature = signature_of(self.folder / MANIFEST)

    def _place(self) -> list[Any]:
        """What pending blocks must follow to be taken up."""
        return [self._identity, self._epoch, self.generation] if self.generation else []

    def _unpublished(self) -> list[dict[str, Any]]:
        published = {entry['file'] for entry in _entries(self._published)}
        return [entry for entry in self._files if entry['file'] not in published]

    def _write(self, shard: Shard) -> dict[str, Any]:
        """Write a block, if there is a folder, and describe its file; no two published files have one number."""
        if self.folder is None:
            return {}
        name = f'{FEATURES}/{self._next_file:06d}.safetensors'
        size, digest = write_shard(self.folder / name, shard)
        self._next_file += 1
        return dict(file=name, bytes=size, sha256=digest, count=len(shard.images))

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
        self._columns = None

    def _rearrange(self, kept: int, rows: np.ndarray) -> None:
        """Keep the first blocks; after them put these rows into blocks of ``BLOCK`` images, and forget the others."""
        first, shards, files, starts = (
            self._starts[kept],
            self._shards[:kept],
            self._files[:kept],
            self._starts[: kept + 1],
        )
        for begin in range(0, len(rows), BLOCK):
            part = rows[begin : begin + BLOCK]
            shard = Shard(self.take(torch.from_numpy(part)), [self.images[row] for row in part], self.fingerprint)
            files.append(self._write(shard))
            if self.folder is not None:  # so that features are mapped and not in memory
                shard = _read_block(self.folder, files[-1], thorough=False)
            shards.append(Shard(shard.features, (), self.fingerprint))
            starts.append(starts[-1] + len(part))
        self.images = [*self.images[:first], *(self.images[row] for row in rows)]
        self.alive = np.concatenate([self.alive[:first], self.alive[rows]])
        self._rows = {image.path: row for row, image in enumerate(self.images) if self.alive[row]}
        self._shards, self._files, self._starts, self._columns = shards, files, starts, None


def _entries(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return Manifest(dict(content), ()).entries if content else []


def _number(entry: Mapping[str, Any]) -> int:
    digits = Path(str(entry.get('file'))).stem
    return int(digits) if digits.isdecimal() else 0


def _fingerprint(content: Mapping[str, Any], folder: Path) -> Fingerprint:
    try:
        return Fingerprint(**content)
    except TypeError as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{folder / MANIFEST} has no valid fingerprint ({reason:.200}). Index again.') from error


def _read_block(folder: Path, entry: Mapping[str, Any], thorough: bool) -> Shard:
    path = require_whole(folder, entry, thorough)
    shard = read_shard(path)
    if len(shard.images) != entry['count']:
        raise ValueError(f'{path} has {len(shard.images)} images, {MANIFEST} says {entry["count"]}. Index again.')
    return shard


def _offsets(dead: list[Any], shard: Shard, folder: Path) -> list[int]:
    if not all(type(offset) is int and 0 <= offset < len(shard.images) for offset in dead):
        raise ValueError(f'{folder / MANIFEST} names dead rows that no block has. Index again.')
    return dead
