"""A gallery: features and index, updated together."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mmtbps.data_configs import ConfigReader, config_to_data, module_to_trust
from mmtbps.registry import ENCODERS, INDEXES
from mmtbps.version import __version__

from .encoders import Encoder
from .generations import MANIFEST
from .index_configs import require_index
from .indexes import ExactIndex, VectorIndex
from .listing import Images, Listing, list_images, start_of_paths_below
from .metadata import MetadataSource
from .results import IndexReport
from .shard_set import read_shard_set
from .shards import Shard
from .store import GalleryStore
from .update import apply_difference, compare, sole_writer

__all__ = ['Gallery']

# Arguments of an index that no gallery decides for its reader, and that none keeps.
_ADDRESS, _SECRET = 'uri', 'token'


class Gallery:
    """Images that can be searched: their features and a vector index, always updated together.

    In a folder it has generations: an update prepares everything and shows it to readers by replacing one file. Whoever
    has opened the gallery before keeps what it has opened.

    Args:
        encoder: The encoder, or its config.
        index: Config of a vector index, or its type alone; without a type, further arguments of the index of ``store``.
            Defaults to None: the index of the stored gallery, or ``'ExactIndex'`` for a new one.
        store: A stored gallery to continue. Defaults to None: an empty one in memory.
        trusted_modules: Modules that a stored gallery may have imported. Defaults to none.

    Raises:
        ValueError: If the stored gallery was made by another model, or its index asks for more than data may.

    Attributes:
        encoder: The encoder.
        store: The features and images.
        vectors: The vector index.
    """

    def __init__(
        self,
        encoder: Encoder | dict,
        index: dict | str | None = None,
        store: GalleryStore | None = None,
        trusted_modules: Sequence[str] = (),
    ) -> None:
        self.encoder: Encoder = ENCODERS.build(dict(encoder)) if isinstance(encoder, Mapping) else encoder
        self._asked = dict(type=index) if isinstance(index, str) else dict(index or {})
        self._trusted = trusted_modules
        self.vectors: VectorIndex = ExactIndex()
        self._updating = False
        self.use(GalleryStore(self.encoder.fingerprint) if store is None else store)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.store)

    def save(self, folder: str | Path) -> None:
        """Write the gallery to a folder; later changes are written there immediately.

        Raises:
            FileExistsError: If the folder holds another gallery.
        """
        self.store.require_free(Path(folder))
        with self.updating(folder):
            pass

    def close(self) -> None:
        """Release files and connections, so that another process can use them."""
        self.vectors.close()

    def refresh(self) -> bool:
        """Continue with the newest generation, if another process has published one; return whether it has."""
        if not self.store.outdated():
            return False
        self.use(GalleryStore.load(self.store.folder))  # type: ignore[arg-type]
        return True

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
        """Update the gallery with a folder, a list of images or a data set.

        New images are encoded, and so are those whose file has another size or modification time; unchanged ones are
        skipped. If a folder is indexed, images of it that no longer exist leave the gallery. Broken images are skipped
        and listed in the report, and so are files that are no images, by extension.

        Args:
            images: See :func:`list_images`.
            out: Folder of the gallery: features are written there block by block, and a gallery that it already holds
                is continued. Defaults to None: the gallery's current place, which is memory at first.
            metadata: Metadata of the images, for filters. Defaults to None: only the folder of each image.
            batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.
            num_workers: Processes that load images; 0 loads in this process. Defaults to 2.
            block_size: Images per block, the most that is lost when the process is killed. Defaults to 2048, half a
                minute of work on one core.
            progress: Whether to draw a progress bar on the error stream. Defaults to True.

        Returns:
            Counts of what was done, and the broken images.

        Raises:
            FileNotFoundError: If a listed image does not exist.
            ValueError: If there is no image or all are broken, no row of the table of metadata meets an image, or the
                folder holds features of another model.
            RuntimeError: If another process is writing the folder.
        """
        listing = list_images(images, metadata)
        remarks = [*listing.remarks, *([] if metadata is None else metadata.require_met(listing.images[0].path))]
        with self.updating(out):
            difference = compare(self.store, listing, metadata is not None)
            report = apply_difference(
                self.store, self.encoder, difference, batch_size, num_workers, block_size, progress
            )
            if not len(self):
                raise ValueError(f'None of the {len(listing.images)} images could be read. {report}')
        report.remarks = remarks
        return report

    def remove(self, paths: Iterable[str | Path]) -> int:
        """Remove images from the gallery; their files stay.

        Args:
            paths: Image files, or folders for all images below them.

        Returns:
            The number of removed images.

        Raises:
            ValueError: If a path matches no image of the gallery.
        """
        chosen: dict[str, None] = {}
        for path in paths:
            file, start = os.path.abspath(path), start_of_paths_below(path)
            found = [stored for stored in self.store.paths() if stored == file or stored.startswith(start)]
            if not found:
                raise ValueError(f'{path} is not in the gallery.')
            chosen.update(dict.fromkeys(found))
        with self.updating():
            self.store.remove(path for path in chosen if path in self.store)
        return len(chosen)

    def add_shards(self, folder: str | Path, out: str | Path | None = None) -> IndexReport:
        """Add features that ``mmtbps extract`` extracted.

        Args:
            folder: Folder of the shards; their checksums are verified.
            out: Folder of the gallery, see :meth:`index`. Defaults to None: the gallery's current place.

        Returns:
            Counts of what was done, and the broken images.

        Raises:
            FileNotFoundError: If the manifest or a shard is missing.
            ValueError: If a shard is damaged or comes from another model.
            RuntimeError: If another process is writing the gallery.
        """
        report = IndexReport()
        with self.updating(out):
            for shard in read_shard_set(folder):
                difference = compare(self.store, Listing(list(shard.images)), with_metadata=True)
                rows = {image.path: row for row, image in enumerate(shard.images)}
                wanted = [*difference.new, *difference.changed, *difference.metadata_changed]
                features = shard.features[torch.tensor([rows[image.path] for image in wanted], dtype=torch.int64)]
                self.store.append(Shard(features, wanted, shard.fingerprint))
                report.added += len(difference.new)
                report.changed += len(difference.changed) + len(difference.metadata_changed)
                report.unchanged += len(difference.unchanged)
                report.broken += shard.broken
        report.total = len(self)
        return report

    @contextmanager
    def updating(self, out: str | Path | None = None) -> Iterator[None]:
        """Make several changes one: readers of the folder see all of them at once when the block ends, or none.

        :meth:`index`, :meth:`add_shards` and :meth:`remove` do so each by itself, unless called inside such a block.

        Args:
            out: Folder of the gallery, see :meth:`index`. Defaults to None: the gallery's current place.

        Raises:
            FileExistsError: If the gallery has images and ``out`` holds another gallery.
            RuntimeError: If another process is writing the folder.
        """
        if self._updating:
            yield
            return
        with sole_writer(self.store.folder if out is None else Path(out)):
            self.refresh()
            if out is not None:
                self._settle(Path(out))
            self.store.continue_pending()
            self._updating = True
            try:
                yield
                self._publish()
            except Exception:
                self._fall_back()
                raise
            finally:
                self._updating = False

    def use(self, store: GalleryStore) -> None:
        """Continue with a stored gallery, and with its index unless another one was asked for. Nothing is written."""
        self.encoder.fingerprint.require(store.fingerprint, f'The gallery {store.folder}')
        self.close()
        self.store = store
        config = self._index_config(store)
        self.vectors = self._build_index(store, config)
        kept, _ = config_to_data({key: value for key, value in config.items() if key != _SECRET}, INDEXES, 'index')
        modules = sorted({*self.encoder.modules, *module_to_trust(type(self.vectors))})
        store.extra = dict(index=kept, encoder=self.encoder.describe(), modules=modules, version=__version__)
        if not store.num_rows or (store.folder is not None and self.vectors.load(store, store.folder, store.built)):
            return
        if store.folder is None or not self.vectors.shared:
            self.vectors.sync(store, store.folder)

    def _build_index(self, store: GalleryStore, config: dict[str, Any]) -> VectorIndex:
        """Build the index; what the user asked for is no mistake of the stored gallery's."""
        if 'type' in self._asked:
            return INDEXES.build(dict(config))
        with self._reader(store).building('index', list(self._asked)):
            return INDEXES.build(dict(config))

    def _index_config(self, store: GalleryStore) -> dict[str, Any]:
        """The index that was asked for, or the stored one, which is data."""
        stored, asked = store.extra.get('index'), self._asked
        if 'type' in asked:
            require_index(asked['type'], asked)
            return dict(asked)
        if stored is None:
            require_index('ExactIndex', asked)
            return dict(asked, type='ExactIndex')
        reader = self._reader(store)
        if not isinstance(stored, Mapping) or 'type' not in stored:
            raise ValueError(f'{reader.source}: index must be an object with a type, got {stored!r:.80}. Index again.')
        if stored.get(_ADDRESS) is not None and _ADDRESS not in asked:
            raise ValueError(
                f'{reader.source} says that the index is at {stored[_ADDRESS]!r}. An address in data is not followed: '
                'give it yourself, --index-options uri=ADDRESS (index=dict(uri=...)), with a token if it needs one.'
            )
        own = {key: value for key, value in stored.items() if key not in (_ADDRESS, _SECRET)}
        own = reader.read(own, INDEXES, 'index')
        require_index(own['type'], asked)
        return dict(own, **asked)

    def _reader(self, store: GalleryStore) -> ConfigReader:
        """Reader of what the gallery's manifest says."""
        return ConfigReader(f'{store.folder}/{MANIFEST}', trusted=self._trusted)

    def _settle(self, folder: Path) -> None:
        """Move to a folder: continue the gallery that is there, or write this one to it."""
        if self.store.folder is None and not len(self) and (folder / MANIFEST).exists():
            self.use(GalleryStore.load(folder))
        else:
            self.store.save(folder)

    def _publish(self) -> None:
        """Bring the index up to date and show readers the new generation."""
        store = self.store
        store.tidy()
        if store.num_rows:
            self.vectors.sync(store, store.folder)
        if store.folder is not None:
            store.publish(self.vectors.save(store.folder, store.generation + 1) if store.num_rows else {})
            self.vectors.published(store)

    def _fall_back(self) -> None:
        """After an error, return to what readers see; finished blocks wait for the next update."""
        if self.store.folder is None:
            if self.store.num_rows:
                self.vectors.sync(self.store, None)
        elif (self.store.folder / MANIFEST).is_file():
            self.use(GalleryStore.load(self.store.folder))
        else:
            self.use(GalleryStore(self.encoder.fingerprint))
