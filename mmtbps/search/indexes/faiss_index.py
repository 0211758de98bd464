"""Indexes of the FAISS library, in memory or mapped from disk."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit, positive
from mmtbps.core.files import written_atomically
from mmtbps.registry import INDEXES

from ..generations import BUILT, describe_file, few_bytes, require_whole
from ..store import GalleryStore
from .base import RowFilter, VectorIndex
from .copies import Copies
from .optional import require
from .state import BuildState

__all__ = ['FaissFlat', 'FaissHNSW', 'FaissIVFPQ', 'FaissIndex']

_BLOCK = 65536

_REBUILD_AT = 4
"""A trained index is rebuilt once the gallery has grown to this many times the size that it was trained on."""


class FaissIndex(VectorIndex):
    """Base class of the FAISS indexes (Douze et al., arXiv 2401.08281).

    Of equal features the index has one, see :class:`~mmtbps.search.indexes.copies.Copies`. A gallery in a folder has
    one file of the index for each generation that changed it. Removed images stay in the index and are filtered out in
    the search.

    Args:
        mapped: Whether the file is memory-mapped when it is opened: opening takes no time, and pages are read when a
            search needs them. False reads the whole file, so that the first searches are as fast as later ones.
            Defaults to True.
        exact_below: Share of the rows up to which they are compared exactly, see :class:`VectorIndex`. Defaults to 0.1.

    Raises:
        ImportError: If FAISS is not installed.
        ValueError: If ``exact_below`` is outside 0..1.
    """

    distinct = True

    def __init__(self, mapped: bool = True, exact_below: float = 0.1) -> None:
        self.faiss = require('faiss', type(self).__name__)
        self.mapped = mapped
        self.exact_below = in_unit(exact_below, 'exact_below')
        self._index: Any = None
        self._file: Path | None = None  # the file that is mapped
        self._built: dict[str, Any] = {}
        self._state = BuildState({})
        self._copies = Copies()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the settings that determine how the index is built, as plain data."""

    @abstractmethod
    def make(self, dim: int, rows: int) -> Any:
        """Create an empty FAISS index for about ``rows`` features of ``dim`` numbers."""

    @abstractmethod
    def parameters(self, selector: Any, share: float) -> Any:
        """Return FAISS's search parameters.

        Args:
            selector: FAISS's selector of the rows that may be returned; None for all.
            share: Share of the rows that it selects.
        """

    def training_rows(self, index: Any, rows: int) -> int:
        """Number of features to train with; 0 for an index that needs no training."""
        return 0

    def read(self, file: Path) -> Any:
        """Open the file of an index, memory-mapped if asked for."""
        return self.faiss.read_index(str(file), self.faiss.IO_FLAG_MMAP_IFC if self.mapped else 0)

    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Update the index; see :meth:`VectorIndex.sync`."""
        if self._index is None or not self._state.fits(store, self.settings()) or self._outgrown(store):
            self._build(store)
        elif self._state.rows < store.num_rows and self._file is not None:
            self._index, self._file = self.faiss.read_index(str(self._file)), None  # a mapped index cannot grow
        if self._state.rows < store.num_rows:
            self._copies = Copies.find(store)
            fresh = self._copies.rows[self._index.ntotal :]
            for start in range(0, len(fresh), _BLOCK):
                self._index.add(store.take(torch.from_numpy(fresh[start : start + _BLOCK])).numpy())
            self._state.rows = store.num_rows
            self._built = {}

    def save(self, folder: Path, generation: int) -> dict[str, Any]:
        """Write the index to a file, unless one holds it already; see :meth:`VectorIndex.save`."""
        if not self._built:
            name = f'{BUILT}/{type(self).__name__}_{generation:06d}.faiss'
            with written_atomically(folder / name) as temporary:
                self.faiss.write_index(self._index, str(temporary))
            self._built = dict(describe_file(folder, name), state=self._state.to_dict(), copies=self._copies.groups)
        return self._built

    def load(self, store: GalleryStore, folder: Path, built: Mapping[str, Any]) -> bool:
        """Open the file of an index; see :meth:`VectorIndex.load`."""
        state = BuildState.of(built)
        if state is None or not state.fits(store, self.settings()):
            return False
        copies = Copies.of(state.rows, built.get('copies'))
        try:
            file = require_whole(folder, built, thorough=few_bytes([built]))
            index = self.read(file)
        except (OSError, RuntimeError, ValueError):  # FAISS raises RuntimeError
            return False
        if copies is None or (index.ntotal, index.d) != (len(copies.rows), store.dim):
            return False
        self._index, self._state, self._copies, self._built = index, state, copies, dict(built)
        self._file = file if self.mapped else None
        return True

    def find(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find rows near each query; see :meth:`VectorIndex.find`."""
        selector, share = None, 1.0
        if row_filter.mask is not None:
            chosen = self._copies.choose(row_filter.mask.numpy())
            share = float(chosen.mean())
            selector = self.faiss.IDSelectorBitmap(np.packbits(chosen, bitorder='little'))
        _, places = self._index.search(queries.numpy(), count, params=self.parameters(selector, max(share, 0.01)))
        return self._copies.expand(torch.from_numpy(places))

    def _outgrown(self, store: GalleryStore) -> bool:
        trained = self.training_rows(self._index, store.num_rows) > 0
        return trained and store.num_rows > _REBUILD_AT * self._state.trained_on

    def _build(self, store: GalleryStore) -> None:
        self._index = self.make(store.dim, store.num_rows)
        count = self.training_rows(self._index, store.num_rows)
        if count:
            chosen = torch.randperm(store.num_rows, generator=torch.Generator().manual_seed(0))[:count]
            self._index.train(store.take(chosen.sort().values).numpy())
        self._file, self._built = None, {}
        self._state = BuildState(self.settings(), gallery=store.identity, trained_on=store.num_rows)


@INDEXES.register_module()
class FaissFlat(FaissIndex):
    """Compare each query with every feature, on all cores."""

    exact = True

    def settings(self) -> dict[str, Any]:
        """Return the settings: the type alone."""
        return dict(type='FaissFlat')

    def make(self, dim: int, rows: int) -> Any:
        """Create an empty index."""
        return self.faiss.IndexFlatIP(dim)

    def parameters(self, selector: Any, share: float) -> Any:
        """Return the search parameters."""
        return self.faiss.SearchParameters(sel=selector)


@INDEXES.register_module()
class FaissHNSW(FaissIndex):
    """Hierarchical navigable small world graph (Malkov & Yashunin, TPAMI 2020).

    The fastest index; it needs memory (the features and ``8 x neighbors`` bytes each) and minutes to build.

    Args:
        neighbors: Edges per node, M. Defaults to 32, FAISS's own default.
        ef_construction: Candidates kept when a node is inserted. Defaults to 80, at which a million images build in
            minutes.
        ef_search: Candidates kept in a search; raised to the number of images asked for, and when a filter selects only
            a part of the rows. More candidates find more and take longer. Defaults to 64.
        mapped: See :class:`FaissIndex`.
        exact_below: See :class:`FaissIndex`.

    Raises:
        ImportError: If FAISS is not installed.
        ValueError: If a number is below 1 or ``exact_below`` outside 0..1.
    """

    @checked()
    def __init__(
        self,
        neighbors: int = 32,
        ef_construction: int = 80,
        ef_search: int = 64,
        mapped: bool = True,
        exact_below: float = 0.1,
    ) -> None:
        super().__init__(mapped, exact_below)
        self.neighbors = positive(neighbors, 'neighbors')
        self.ef_construction = positive(ef_construction, 'ef_construction')
        self.ef_search = positive(ef_search, 'ef_search')

    def settings(self) -> dict[str, Any]:
        """Return the settings that determine the graph."""
        return dict(type='FaissHNSW', neighbors=self.neighbors, ef_construction=self.ef_construction)

    def make(self, dim: int, rows: int) -> Any:
        """Create an empty graph."""
        index = self.faiss.IndexHNSWFlat(dim, self.neighbors, self.faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.ef_construction
        return index

    def parameters(self, selector: Any, share: float) -> Any:
        """Return the search parameters; more candidates if a filter selects few rows."""
        return self.faiss.SearchParametersHNSW(efSearch=round(self.ef_search / share), sel=selector)


@INDEXES.register_module()
class FaissIVFPQ(FaissIndex):
    """Inverted lists with product quantisation (Jégou et al., TPAMI 2011), for galleries larger than memory.

    The quantised features only select candidates, ``oversampling`` times as many as asked for; the searcher ranks them
    by the exact features, which stay on disk.

    Args:
        lists: Number of inverted lists. Defaults to None: four times the square root of the gallery's size, but at most
            one for every 39 images, the fewest that FAISS learns a list from.
        bytes_per_vector: Size of a code in bytes. Defaults to 64, two bits per number of 256: 6 % of the features.
        probes: Lists visited in a search; raised when a filter selects only a part of the rows. Defaults to 64.
        oversampling: Candidates per image asked for. Defaults to 10.
        mapped: See :class:`FaissIndex`.
        exact_below: See :class:`FaissIndex`.

    Raises:
        ImportError: If FAISS is not installed.
        ValueError: If a number is below 1 or ``exact_below`` outside 0..1; when the index is built, if the gallery is
            too small or ``bytes_per_vector`` does not divide the width of a feature.
    """

    @checked()
    def __init__(
        self,
        lists: int | None = None,
        bytes_per_vector: int = 64,
        probes: int = 64,
        oversampling: int = 10,
        mapped: bool = True,
        exact_below: float = 0.1,
    ) -> None:
        super().__init__(mapped, exact_below)
        self.lists = None if lists is None else positive(lists, 'lists')
        self.bytes_per_vector = positive(bytes_per_vector, 'bytes_per_vector')
        self.probes = positive(probes, 'probes')
        self.oversampling = positive(oversampling, 'oversampling')

    def read(self, file: Path) -> Any:
        """Open the file; inverted lists have a memory-mapping flag of their own."""
        if not self.mapped:
            return super().read(file)
        index = self.faiss.read_index(str(file), self.faiss.IO_FLAG_MMAP)
        # FAISS would start 32 threads per search to prefetch lists, which costs milliseconds when pages are in memory.
        self.faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
        return index

    def settings(self) -> dict[str, Any]:
        """Return the settings that determine lists and codes."""
        return dict(type='FaissIVFPQ', lists=self.lists, bytes_per_vector=self.bytes_per_vector)

    def make(self, dim: int, rows: int) -> Any:
        """Create empty lists."""
        if rows < 256:
            raise ValueError(f'FaissIVFPQ needs at least 256 images to learn its codes, got {rows}; use FaissFlat.')
        if dim % self.bytes_per_vector:
            raise ValueError(f'bytes_per_vector must divide a feature of {dim} numbers, got {self.bytes_per_vector}.')
        # FAISS asks for at least 39 features per list to train on.
        lists = self.lists or max(1, min(round(4 * math.sqrt(rows)), rows // 39))
        coarse = self.faiss.IndexFlatIP(dim)
        index = self.faiss.IndexIVFPQ(coarse, dim, lists, self.bytes_per_vector, 8, self.faiss.METRIC_INNER_PRODUCT)
        coarse.this.disown()
        index.own_fields = True
        # A small gallery is allowed, so FAISS need not warn about every sub-quantiser.
        index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
        return index

    def training_rows(self, index: Any, rows: int) -> int:
        """Number of features to train with; FAISS uses at most 256 per list or code."""
        return min(rows, max(256 * 256, 64 * index.nlist))

    def parameters(self, selector: Any, share: float) -> Any:
        """Return the search parameters; more lists if a filter selects few rows."""
        return self.faiss.SearchParametersIVF(nprobe=round(self.probes / share), sel=selector)
