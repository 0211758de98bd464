"""A gallery: features, what finds them, and how both follow the images."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from mmtbps.registry import ENCODERS, INDEXES
from mmtbps.version import __version__

from .encoders import Encoder
from .indexes import ExactIndex, VectorIndex
from .listing import Images, list_gallery, start_of_paths_below
from .metadata import MetadataSource
from .results import IndexReport
from .shard_set import read_shard_set
from .shards import Shard
from .store import MANIFEST, GalleryStore
from .update import apply_difference, compare, sole_writer

__all__ = ['Gallery']


class Gallery:
    """Images that can be found: their features, and the index that finds them, kept in step.

    Args:
        encoder: What makes features, or its config.
        index: What finds them: the config of an index, or its type alone. Defaults to None: what the loaded gallery
            had, else ``'ExactIndex'``.
    """

    def __init__(self, encoder: Encoder | dict, index: dict | str | None = None) -> None:
        self.encoder: Encoder = ENCODERS.build(dict(encoder)) if isinstance(encoder, Mapping) else encoder
        self._asked = dict(type=index) if isinstance(index, str) else index
        self.vectors: VectorIndex = ExactIndex()
        self.use(GalleryStore(self.encoder.fingerprint))

    def __len__(self) -> int:
        """Images in the gallery."""
        return len(self.store)

    def save(self, folder: str | Path) -> None:
        """Write the gallery to a folder, which is the gallery's from then on: later changes go there at once.

        Raises:
            FileExistsError: If the folder has another gallery.
        """
        self.store.save(folder)
        self._sync()

    def close(self) -> None:
        """Let go of files and connections, so that another process may have them."""
        self.vectors.close()

    def index(
        self,
        images: Images,
        out: str | Path | None = None,
        metadata: MetadataSource | None = None,
        batch_size: int = 64,
        num_workers: int = 2,
        block_size: int = 2048,
        progress: bool = True,
    ) -> IndexReport:
        """Bring the gallery up to date with a folder, a list of images or a data set.

        New images are encoded; so are those whose file changed, by size or time. Unchanged ones are not looked at. Of a
        folder, images that are gone leave the gallery. Broken images are passed over and listed in the report.

        Args:
            images: See :func:`list_gallery`.
            out: The gallery's folder: features are written there block by block, and what is there already is kept.
                Defaults to None: where the gallery is now, in memory at first.
            metadata: Facts by image, for filters. Defaults to None: the folder alone.
            batch_size: Images encoded at a time. Defaults to 64.
            num_workers: Processes that load images; 0 loads in this one. Defaults to 2.
            block_size: Images in a block, the most that a kill can lose. Defaults to 2048, half a minute on one core.
            progress: Whether to draw a progress bar on the error stream. Defaults to True.

        Returns:
            What was done.

        Raises:
            FileNotFoundError: If images are missing.
            ValueError: If there is no image or all are broken, or the folder has features of another model.
            RuntimeError: If another process is writing the folder.
        """
        listed = list_gallery(images, metadata)
        folder = str(images) if isinstance(images, str | Path) and Path(images).is_dir() else None
        with self._writing(out):
            difference = compare(self.store, listed, folder, metadata is not None)
            report = apply_difference(
                self.store, self.encoder, difference, batch_size, num_workers, block_size, progress
            )
        if not len(self):
            raise ValueError(f'None of the {len(listed)} images could be read. {report}')
        return report

    def remove(self, paths: Iterable[str | Path]) -> int:
        """Take images out of the gallery; their files stay.

        Args:
            paths: Image files, or folders: all images below them.

        Returns:
            How many left.

        Raises:
            ValueError: If nothing of the gallery is meant by one of them.
        """
        chosen: dict[str, None] = {}
        for path in paths:
            file, start = os.path.abspath(path), start_of_paths_below(path)
            meant = [stored for stored in self.store.paths() if stored == file or stored.startswith(start)]
            if not meant:
                raise ValueError(f'{path} is not in the gallery.')
            chosen.update(dict.fromkeys(meant))
        with self._writing():
            self.store.remove(path for path in chosen if path in self.store)
            self.store.commit()
        return len(chosen)

    def add_shards(self, folder: str | Path, out: str | Path | None = None) -> IndexReport:
        """Take over features that ``tools/extract.py`` made.

        Args:
            folder: The folder of the shards; their checksums are verified.
            out: The gallery's folder, see :meth:`index`.

        Returns:
            What was done.

        Raises:
            FileNotFoundError: If shards are missing.
            ValueError: If they are damaged or another model made them.
            RuntimeError: If another process is writing the gallery.
        """
        report = IndexReport()
        with self._writing(out):
            for shard in read_shard_set(folder):
                difference = compare(self.store, shard.images, None, with_metadata=True)
                rows = {image.path: row for row, image in enumerate(shard.images)}
                wanted = [*difference.new, *difference.changed, *difference.refiled]
                features = shard.features[torch.tensor([rows[image.path] for image in wanted], dtype=torch.int64)]
                self.store.append(Shard(features, wanted, shard.fingerprint))
                report.added += len(difference.new)
                report.changed += len(difference.changed) + len(difference.refiled)
                report.unchanged += len(difference.unchanged)
                report.broken += shard.broken
        report.total = len(self)
        return report

    def use(self, store: GalleryStore) -> None:
        """Take over a gallery, and the index it asks for unless another was asked for."""
        self.encoder.fingerprint.require(store.fingerprint, f'The gallery {store.folder}')
        self.close()
        self.store = store
        config = self._asked or store.extra.get('index') or dict(type='ExactIndex')
        store.extra.update(index=dict(config), encoder=self.encoder.describe(), version=__version__)
        self.vectors = INDEXES.build(dict(config))
        if store.num_rows:
            self._sync()

    @contextmanager
    def _writing(self, out: str | Path | None = None) -> Iterator[None]:
        """Be the only writer of the gallery, with all that others wrote before; the index follows at the end."""
        with sole_writer(self.store.folder if out is None else Path(out)):
            if self.store.folder is not None and self.store.outdated():
                self.use(GalleryStore.load(self.store.folder))
            if out is not None:
                self._settle(Path(out))
            yield
            self._sync()

    def _settle(self, folder: Path) -> None:
        """Go on in a folder: with the gallery that is there, or with this one, written there."""
        if self.store.folder is None and not len(self) and (folder / MANIFEST).exists():
            self.use(GalleryStore.load(folder))
        elif self.store.folder is None or self.store.folder.absolute() != folder.absolute():
            self.store.save(folder)

    def _sync(self) -> None:
        self.vectors.sync(self.store, self.store.folder)
