"""Milvus, a vector database: embedded in this process, or on a server or cluster."""

import hashlib
import json
import logging
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.registry import INDEXES

from ..store import GalleryStore
from .base import RowFilter, VectorIndex
from .optional import require
from .state import BuildState

__all__ = ['MilvusIndex']

_LOGGER = logging.getLogger(__name__)

_LITE = 'milvus.db'

_BATCH = 1000
"""Entities per request: some megabytes, below the limit of a gRPC message."""

_MOST = 16384
"""Milvus's limit on the number of results per query."""

_SPARE = 2
"""How many times as many rows are asked for as would be enough if those that meet a filter were spread evenly."""

_PATIENCE = 60
"""Seconds that a search waits for an answer: after a restart a server takes half a minute."""


@INDEXES.register_module()
class MilvusIndex(VectorIndex):
    """A collection in Milvus (Wang et al., SIGMOD 2021), for galleries that outgrow one machine.

    Without an address it uses Milvus Lite, a database file in the gallery's folder that is served by this process, so
    that only one process at a time can open it. With an address it connects to a server or cluster.

    Milvus is asked for rows near a query and knows no conditions. It would evaluate them for every row of every query,
    and where they exclude what is near the query, its index finds other rows than the nearest of those that remain.

    A collection belongs to one gallery, by its name. A writer inserts new images before readers see the generation that
    has them, and deletes removed ones afterwards; readers of earlier generations compare all images of theirs. A reader
    that finds no collection of its gallery does so too and says it.

    Args:
        uri: Address such as ``'http://host:19530'``, or a file ending in ``.db`` for Milvus Lite. Defaults to None:
            ``milvus.db`` in the gallery's folder, or a temporary file for a gallery in memory. A gallery in memory that
            is on a server is dropped there when it is closed.
        token: ``'user:password'`` or an API key of the server. Defaults to None: no authentication.
        collection: What the names of collections start with; the gallery's identity follows. Defaults to
            ``'mmtbps_gallery'``.
        index_type: Type of Milvus's vector index. Defaults to ``'AUTOINDEX'``: Milvus chooses.
        index_params: Parameters of that index. Defaults to None: Milvus's own defaults.
        search_params: Parameters of a search in that index; an ``ef`` is raised to the number of rows asked for.
            Defaults to None: ``dict(ef=512)`` for HNSW on a server, which Milvus chooses there (with its own default
            it finds a third of what is nearest among random features), and Milvus's own defaults for others.
        exact_below: Share of the rows up to which they are compared exactly, see :class:`VectorIndex`. Defaults to 0.1.

    Attributes:
        name: Name of the gallery's collection; empty while there is none.

    Raises:
        ImportError: If pymilvus is not installed.
        ValueError: If ``exact_below`` is outside 0..1.
    """

    shared = True

    @checked()
    def __init__(
        self,
        uri: str | None = None,
        token: str | None = None,
        collection: str = 'mmtbps_gallery',
        index_type: str = 'AUTOINDEX',
        index_params: dict[str, Any] | None = None,
        search_params: dict[str, Any] | None = None,
        exact_below: float = 0.1,
    ) -> None:
        self.pymilvus = require('pymilvus', 'MilvusIndex')
        for name in ('pymilvus', 'milvus_lite'):  # they log pages about errors that they raise too
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.uri = uri
        self.token = token
        self.collection = collection
        self.index_type = index_type
        self.index_params = index_params or {}
        served = uri is not None and not _embedded(uri)
        chosen = dict(ef=512) if served and index_type in ('AUTOINDEX', 'HNSW') else {}
        self.search_params = chosen if search_params is None else search_params
        self.exact_below = in_unit(exact_below, 'exact_below')
        self._client: Any = None
        self._address = ''
        self._scratch: tempfile.TemporaryDirectory | None = None
        self.name = ''
        self._passing = False
        self._state: BuildState | None = None

    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Insert new rows; see :meth:`VectorIndex.sync`."""
        if self._scratch is not None and folder is not None:
            self.close()
        if self._client is None:
            self._connect(folder)
        self._passing = folder is None
        name, settings = self._own_name(store), self._settings(store)
        exists = self._client.has_collection(name)
        if self._state is None or not exists or not self._state.fits(store, settings):
            if exists:  # left by a writer that was killed
                self._client.drop_collection(name)
            self._create(name, store.dim)
            self._state = BuildState(settings, gallery=store.identity)
        self.name = name
        if self._state.rows < store.num_rows:
            if self._embedded:  # else it indexes new rows behind our back; on a server others search meanwhile
                self._client.release_collection(name)
            self._insert(store, self._state)
            self._settle()
        self._open(name)
        if folder is None:  # nobody else reads it
            self.published(store)

    def save(self, folder: Path, generation: int) -> dict[str, Any]:
        """Say which rows the collection has; see :meth:`VectorIndex.save`."""
        return {} if self._state is None else dict(state=self._state.to_dict())

    def load(self, store: GalleryStore, folder: Path, built: Mapping[str, Any]) -> bool:
        """Connect to the gallery's collection; see :meth:`VectorIndex.load`."""
        if self.uri is not None or (folder / _LITE).exists():
            self._connect(folder)
            state, name = BuildState.of(built), self._own_name(store)
            if state is not None and state.fits(store, self._settings(store)) and self._client.has_collection(name):
                self._open(name)
                self._state, self.name = state, name
                return True
        _LOGGER.warning(
            'Milvus has no collection of the gallery %s; images are compared one by one. Indexing builds it.', folder
        )
        return False

    def published(self, store: GalleryStore) -> None:
        """Delete removed rows, and collections of earlier generations; see :meth:`VectorIndex.published`."""
        if self._state is None:
            return
        dead = np.flatnonzero(~store.alive)
        removed = np.setdiff1d(dead, self._state.removed).tolist()
        for start in range(0, len(removed), _BATCH):
            self._client.delete(self.name, ids=removed[start : start + _BATCH])
        self._state.removed = dead.tolist()
        own = self._prefix(store)
        for name in self._client.list_collections():
            if name.startswith(own) and name != self.name:
                self._client.drop_collection(name)

    def find(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find rows near each query, and with a filter so many that enough of them meet it; see :class:`MilvusIndex`.

        Args:
            store: The gallery that the index was last synchronised with.
            queries: Features (Q, D) float32, rows of length 1.
            count: Number of rows per query, at least 1.
            row_filter: The rows that may be returned, at least one.

        Returns:
            Row numbers (Q, C) int64 with C >= ``count``, of which some may not be returned; -1 where fewer were found.
        """
        share = row_filter.count / len(store)
        limit = count if share == 1 else math.ceil(_SPARE * count / share)
        limit = max(1, min(limit, len(store), _MOST))
        found = torch.full((len(queries), max(count, limit)), -1)
        if self._state is None:
            return found
        params = self.search_params
        if 'ef' in params:
            params = dict(params, ef=max(params['ef'], limit))
        answers = self._client.search(
            self.name,
            data=list(queries.numpy()),
            limit=limit,
            search_params=dict(params=params),
            output_fields=['row'],
            timeout=_PATIENCE,
        )
        for number, hits in enumerate(answers):
            found[number, : len(hits)] = torch.tensor([hit['row'] for hit in hits], dtype=torch.int64)
        return found

    def close(self) -> None:
        """Disconnect; another process can then open an embedded database."""
        if self._client is None:
            return
        if self._passing and self.name and self._scratch is None:
            with suppress(RuntimeError):  # the server may be gone
                self._client.drop_collection(self.name)
        self._client.close()
        self._client = None
        if self._embedded:
            # The client would leave the embedded server running until the process ends.
            require('milvus_lite.server_manager', 'MilvusIndex').server_manager_instance.release_server(self._address)
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
        self._state, self.name = None, ''

    def _connect(self, folder: Path | None) -> None:
        if self.uri is None and folder is None:
            self._scratch = tempfile.TemporaryDirectory()
        default = Path(folder or (self._scratch.name if self._scratch else '')) / _LITE
        self._address = self.uri or str(default)
        try:
            client = self.pymilvus.MilvusClient(self._address, token=self.token or '')
        except Exception as error:
            raise RuntimeError(f'{_refusal(self._address)} ({_reason(error)})') from error
        self._client = _Client(client, self._address)

    @property
    def _embedded(self) -> bool:
        return _embedded(self._address)

    def _settings(self, store: GalleryStore) -> dict[str, Any]:
        return dict(collection=self.collection, type=self.index_type, params=self.index_params, dim=store.dim)

    def _prefix(self, store: GalleryStore) -> str:
        """What the names of all collections of a gallery start with."""
        return f'{self.collection}_{store.identity.partition("-")[0]}_'

    def _own_name(self, store: GalleryStore) -> str:
        """Name of the collection for these rows and settings."""
        settings = json.dumps(self._settings(store), sort_keys=True).encode()
        return f'{self._prefix(store)}{store.identity.partition("-")[2]}_{hashlib.sha256(settings).hexdigest()[:8]}'

    def _create(self, name: str, dim: int) -> None:
        kinds = self.pymilvus.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field('row', kinds.INT64, is_primary=True)
        schema.add_field('vector', kinds.FLOAT_VECTOR, dim=dim)
        self._client.create_collection(name, schema=schema)  # with the index, it would be loaded before it has rows
        self._create_index(name)

    def _create_index(self, name: str) -> None:
        index = self._client.prepare_index_params()
        # Rows have length 1, so that the inner product is the cosine.
        index.add_index('vector', self.index_type, 'vector', metric_type='IP', params=self.index_params)
        self._client.create_index(name, index)

    def _insert(self, store: GalleryStore, state: BuildState) -> None:
        """Insert the live rows that are not in the collection yet."""
        alive = store.alive[state.rows :]
        fresh = np.flatnonzero(alive) + state.rows
        for start in range(0, len(fresh), _BATCH):
            rows = fresh[start : start + _BATCH]
            vectors = store.take(torch.from_numpy(rows)).numpy()
            entities = [dict(row=int(row), vector=vector) for row, vector in zip(rows, vectors, strict=True)]
            self._client.upsert(self.name, data=entities)
        state.removed += (np.flatnonzero(~alive) + state.rows).tolist()
        state.rows = store.num_rows

    def _settle(self) -> None:
        """Make Milvus write and index new entities; until then queries take many times as long and find much less."""
        self._client.flush(self.name)
        while (told := self._client.describe_index(self.name, 'vector'))['pending_index_rows']:
            if told['state'] == 'Failed':
                raise RuntimeError(f'Milvus at {self._address} could not build its index {self.index_type}: {told}.')
            time.sleep(0.1)

    def _open(self, name: str) -> None:
        """Make a collection ready for queries.

        Milvus Lite writes the files of its indexes in place: one is cut where a process was killed, or is still being
        written when a compaction of earlier rows ends late. The rows are there, so that the index is built again.
        """
        try:
            self._client.load_collection(name)
        except RuntimeError:
            if not self._embedded:
                raise
            self._client.drop_index(name, 'vector')  # waits for what is being written, and removes the files
            self._create_index(name)
            self._client.load_collection(name)

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


class _Client:
    """A client of Milvus whose errors, which have no common kind, are told in one sentence."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except Exception as error:
                raise RuntimeError(
                    f'Milvus at {self._address} did not do what it was asked for ({name}: {_reason(error)}). Check '
                    "that the server runs; index='ExactIndex' searches the gallery without it."
                ) from error

        return call


def _reason(error: Exception) -> str:
    return ' '.join(str(getattr(error, 'message', '') or error).split())


def _embedded(address: str) -> bool:
    return address.endswith('.db')  # as pymilvus decides


def _refusal(address: str) -> str:
    if _embedded(address):
        return (
            f'{address} cannot be opened: Milvus Lite serves one process at a time, and another one probably has it '
            "open. Close that process, or run a Milvus server and give its address (uri='http://host:19530')."
        )
    return f'There is no answer from Milvus at {address}. Check the address, the token and that the server runs.'
