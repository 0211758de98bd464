"""Milvus, a vector database: embedded in this process, or on a server or cluster."""

import logging
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.checks import in_unit
from mmtbps.registry import INDEXES

from ..filters import milvus_metadata
from ..store import GalleryStore
from .base import RowFilter, VectorIndex
from .optional import require
from .state import BuildState

__all__ = ['MilvusIndex']

_BATCH = 1000
"""Entities per request: some megabytes, below the limit of a gRPC message."""

_MOST = 16384
"""Milvus's limit on the number of results per query."""


@INDEXES.register_module()
class MilvusIndex(VectorIndex):
    """A collection in Milvus (Wang et al., SIGMOD 2021), for galleries that outgrow one machine.

    Without an address it uses Milvus Lite, a database file in the gallery's folder that is served by this process, so
    that only one process at a time can open it. With an address it connects to a server or cluster. Milvus evaluates
    conditions on its field ``metadata`` and deletes removed images.

    Args:
        uri: Address such as ``'http://host:19530'``, or a file ending in ``.db`` for Milvus Lite. Defaults to None:
            ``milvus.db`` in the gallery's folder, or a temporary file for a gallery in memory.
        token: ``'user:password'`` or an API key of the server. Defaults to None: no authentication.
        collection: Name of the collection; each gallery on a server needs its own. Defaults to ``'mmtbps_gallery'``.
        index_type: Type of Milvus's vector index. Defaults to ``'AUTOINDEX'``: Milvus chooses.
        index_params: Parameters of that index. Defaults to None: Milvus's own defaults.

        exact_below: Share of the rows up to which they are compared exactly, see :class:`VectorIndex`. Defaults to 0.1.

    Raises:
        ImportError: If pymilvus is not installed.
        ValueError: If ``exact_below`` is outside 0..1.
    """

    def __init__(
        self,
        uri: str | None = None,
        token: str | None = None,
        collection: str = 'mmtbps_gallery',
        index_type: str = 'AUTOINDEX',
        index_params: dict[str, Any] | None = None,
        exact_below: float = 0.1,
    ) -> None:
        self.pymilvus = require('pymilvus', 'MilvusIndex')
        self.uri = uri
        self.token = token
        self.collection = collection
        self.index_type = index_type
        self.index_params = index_params or {}
        self.exact_below = in_unit(exact_below, 'exact_below')
        self._client: Any = None
        self._address = ''
        self._scratch: tempfile.TemporaryDirectory | None = None
        self._state: BuildState | None = None

    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Update the collection; see :meth:`VectorIndex.sync`."""
        if self._scratch is not None and folder is not None:
            self.close()
        if self._client is None:
            self._connect(folder)
        file = None if folder is None else folder / 'MilvusIndex.json'
        if self._state is None and file is not None:
            self._state = BuildState.read(file)
        settings = self._settings(store)
        exists = self._client.has_collection(self.collection)
        if self._state is None or not exists or not self._state.fits(store, settings):
            self._create(store, exists, settings)
            self._state = BuildState(settings, gallery=store.identity)
            _keep(self._state, file)
        if self._update(store, self._state):
            self._settle()
            _keep(self._state, file)
        else:
            self._client.load_collection(self.collection)

    def find(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find rows near each query; see :meth:`VectorIndex.find`. None where Milvus cannot say the conditions."""
        found = torch.full((len(queries), count), -1)
        if row_filter.expression is None:
            return found
        answers = self._client.search(
            self.collection,
            data=list(queries.numpy()),
            limit=min(count, _MOST),
            filter=row_filter.expression,
            output_fields=['row'],
        )
        for number, hits in enumerate(answers):
            found[number, : len(hits)] = torch.tensor([hit['row'] for hit in hits], dtype=torch.int64)
        return found

    def close(self) -> None:
        """Disconnect; another process can then open an embedded database."""
        if self._client is None:
            return
        self._client.close()
        self._client = None
        if self._address.endswith('.db'):
            # The client would leave the embedded server running until the process ends.
            require('milvus_lite.server_manager', 'MilvusIndex').server_manager_instance.release_server(self._address)
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = self._state = None

    def _connect(self, folder: Path | None) -> None:
        if self.uri is None and folder is None:
            self._scratch = tempfile.TemporaryDirectory()
        default = Path(folder or (self._scratch.name if self._scratch else '')) / 'milvus.db'
        self._address = self.uri or str(default)
        # Milvus Lite logs a traceback of the error that is reported below in one sentence.
        log = logging.getLogger('milvus_lite')
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            self._client = self.pymilvus.MilvusClient(self._address, token=self.token or '')
        except Exception as error:
            raise RuntimeError(f'{_refusal(self._address)} ({error})') from error
        finally:
            log.setLevel(level)

    def _settings(self, store: GalleryStore) -> dict[str, Any]:
        return dict(
            address=self.uri, collection=self.collection, type=self.index_type, params=self.index_params,
            dim=store.dim,
        )  # fmt: skip

    def _create(self, store: GalleryStore, exists: bool, settings: dict[str, Any]) -> None:
        if exists:
            if self._state is None or self._state.settings.get('collection') != self.collection:
                raise ValueError(
                    f'{self._address} already has a collection {self.collection!r} that belongs to another gallery. '
                    "Choose another name (collection='...') or drop it."
                )
            self._client.drop_collection(self.collection)
        kinds = self.pymilvus.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field('row', kinds.INT64, is_primary=True)
        schema.add_field('vector', kinds.FLOAT_VECTOR, dim=store.dim)
        schema.add_field('metadata', kinds.JSON)
        index = self._client.prepare_index_params()
        # Rows have length 1, so that the inner product is the cosine.
        index.add_index('vector', index_type=self.index_type, metric_type='IP', params=self.index_params)
        self._client.create_collection(self.collection, schema=schema, index_params=index)

    def _update(self, store: GalleryStore, state: BuildState) -> bool:
        """Insert new rows and delete dead ones; return whether there were any."""
        dead = np.flatnonzero(~store.alive[: state.rows])
        removed = np.setdiff1d(dead, state.removed).tolist()
        fresh = np.flatnonzero(store.alive[state.rows :]) + state.rows
        for start in range(0, len(removed), _BATCH):
            self._client.delete(self.collection, ids=removed[start : start + _BATCH])
        for start in range(0, len(fresh), _BATCH):
            rows = fresh[start : start + _BATCH]
            vectors = store.take(torch.from_numpy(rows)).numpy()
            entities = [
                dict(row=int(row), vector=vector, metadata=milvus_metadata(store.images[row].metadata))
                for row, vector in zip(rows, vectors, strict=True)
            ]
            self._client.upsert(self.collection, data=entities)
        if not removed and state.rows == store.num_rows:
            return False
        state.rows, state.removed = store.num_rows, np.flatnonzero(~store.alive).tolist()
        return True

    def _settle(self) -> None:
        """Make Milvus write and index new entities; until then a query takes many times as long."""
        self._client.flush(self.collection)
        self._client.release_collection(self.collection)
        self._client.load_collection(self.collection)

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def _keep(state: BuildState, file: Path | None) -> None:
    if file is not None:
        state.write(file)


def _refusal(address: str) -> str:
    if address.endswith('.db'):
        return (
            f'{address} cannot be opened: Milvus Lite serves one process at a time, and another one probably has it '
            "open. Close that process, or run a Milvus server and give its address (uri='http://host:19530')."
        )
    return f'There is no answer from Milvus at {address}. Check the address, the token and that the server runs.'
