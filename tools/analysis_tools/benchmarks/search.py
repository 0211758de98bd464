"""Indexes of the search: build time, memory, recall against exact search, latency of one query at a time.

The plain implementation multiplies the query with the whole gallery and sorts all of it. Galleries are made up:
'identity' has a centre for every person, ten images around it and queries near it, in about 32 dimensions of the 256;
'isotropic' fills all dimensions evenly, which learnt features do not; 'gaussian' has no persons either, the worst case
of every index that is not exact. What is timed goes from a feature to ranked rows with exact cosines; encoding the
sentence is not in it. With --folder, galleries and indexes stay there: the next run finds them built and only asks.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.registry import INDEXES
from mmtbps.search import GalleryStore, RowFilter, VectorIndex
from mmtbps.search.indexes.optional import require
from mmtbps.search.ranking import rank

from .common import single_thread
from .features import peak_growth, resident
from .made_galleries import VECTORS, make_features, make_gallery, time_plain

KINDS: dict[str, dict[str, Any]] = {
    'exact': dict(type='ExactIndex'),
    'flat': dict(type='FaissFlat', mapped=False),
    'hnsw': dict(type='FaissHNSW', mapped=False),
    'hnsw-mapped': dict(type='FaissHNSW'),
    'ivfpq': dict(type='FaissIVFPQ', mapped=False),
    'ivfpq-mapped': dict(type='FaissIVFPQ'),
    'milvus': dict(type='MilvusIndex'),
}
BUILDS, BUILT = 'builds.json', 'built.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--sizes', nargs='+', type=int, default=[10**4, 10**5, 10**6], help='(default: %(default)s)')
    parser.add_argument('--dim', type=int, default=256, help='(default: %(default)s)')
    parser.add_argument(
        '--vectors',
        nargs='+',
        choices=VECTORS,
        default=['identity', 'gaussian'],
        help='(default: identity and gaussian)',
    )
    parser.add_argument('--indexes', nargs='+', choices=KINDS, default=list(KINDS), help='(default: all)')
    parser.add_argument('--topk', type=int, default=10, help='(default: %(default)s)')
    parser.add_argument('--time-limit', type=float, default=5, help='seconds a round of queries (default: %(default)s)')
    parser.add_argument(
        '--milvus-up-to', type=int, default=10**5, help='size that Milvus is measured up to (default: %(default)s)'
    )
    parser.add_argument('--build-threads', type=int, default=1, help='of FAISS, building (default: %(default)s)')
    parser.add_argument('--folder', help='keep galleries and indexes here (default: nowhere)')


def build(name: str, folder: Path, threads: int) -> dict[str, float]:
    """Build an index in a gallery's folder, unless it is there; tell what that took, or had taken."""
    notes = folder / BUILDS
    place = folder / KINDS[name]['type']
    known = json.loads(notes.read_text()) if notes.is_file() else {}
    kind = KINDS[name]['type']
    if kind not in known:
        store, index = GalleryStore.load(folder), INDEXES.build(KINDS[name])
        if kind.startswith('Faiss'):
            require('faiss', kind).omp_set_num_threads(threads)
        # Of this process alone: a busy machine may let a build of many minutes wait.
        place.mkdir(exist_ok=True)
        start = time.process_time()
        memory = peak_growth(lambda: index.sync(store, place))
        known[kind] = {'build, CPU (s)': time.process_time() - start, 'build, memory (MB)': memory}
        (place / BUILT).write_text(json.dumps(index.save(place, 1)))
        index.close()
        notes.write_text(json.dumps(known, indent=1))
    return known[kind]


def ask(
    store: GalleryStore, index: VectorIndex, queries: Tensor, topk: int, limit: float
) -> tuple[list[Tensor], np.ndarray]:
    """Ask one query after the other until all are answered or time is up: their rows and seconds."""
    rows, seconds = [], []
    end = time.perf_counter() + limit
    for query in queries.split(1):
        start = time.perf_counter()
        ((found, _, _),) = rank(store, index, query, topk, RowFilter(store))
        seconds.append(time.perf_counter() - start)
        rows.append(found)
        if start > end:
            break
    return rows, np.array(seconds)


def measure(name: str, folder: Path, queries: Tensor, expected: Tensor, args: argparse.Namespace) -> dict[str, float]:
    """Build an index, open it anew and ask it."""
    figures = build(name, folder, args.build_threads)
    if KINDS[name]['type'].startswith('Faiss'):
        require('faiss', name).omp_set_num_threads(1)
    store, index = GalleryStore.load(folder), INDEXES.build(KINDS[name])
    place = folder / KINDS[name]['type']
    before, start = resident(), time.perf_counter()
    if not index.load(store, place, json.loads((place / BUILT).read_text())):
        index.sync(store, place)
    opened = time.perf_counter() - start
    # The first round is not timed: it reads pages from disk, and fills the memory that is measured then.
    rows, _ = ask(store, index, queries, args.topk, args.time_limit)
    memory = {key: value - before[key] for key, value in resident().items()}
    rounds = [ask(store, index, queries, args.topk, args.time_limit)[1] for _ in range(args.repeats)]
    index.close()
    median, slow = (float(np.median([np.percentile(part, point) for part in rounds])) for point in (50, 99))
    return {
        **figures,
        'open (s)': opened,
        'memory, its own (MB)': memory['own'],
        'memory, mapped pages (MB)': memory['mapped'],
        f'recall@{args.topk}': recall(rows, expected),
        'queries': min(len(part) for part in rounds),
        'median (ms)': 1000 * median,
        'p99 (ms)': 1000 * slow,
    }


def recall(rows: Sequence[Tensor], expected: Tensor) -> float:
    """Share of the nearest (Q, k) that the first queries found."""
    hits = [torch.isin(right, found).float().mean() for found, right in zip(rows, expected, strict=False)]
    return float(torch.stack(hits).mean())


def run_gallery(vectors: str, size: int, folder: Path, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure every index on one gallery."""
    features = make_features(vectors, size, args.dim, query=False)
    queries = make_features(vectors, size, args.dim, query=True)
    make_gallery(folder, features)
    expected = torch.cat([(part @ features.T).topk(args.topk).indices for part in queries.split(100)])
    few = queries[: max(10, min(len(queries), 2 * 10**7 // size))]
    rows, seconds = time_plain(features, few, args.topk)
    del features
    median, slow = (1000 * float(np.percentile(seconds, point)) for point in (50, 99))
    plain = {'queries': len(few), f'recall@{args.topk}': recall(list(rows), expected)}
    found: dict[str, dict[str, float]] = {'plain': {**plain, 'median (ms)': median, 'p99 (ms)': slow}}
    for name in args.indexes:
        if name != 'milvus' or size <= args.milvus_up_to:
            found[name] = measure(name, folder, queries, expected, args)
            found[name]['speed, ratio to plain'] = median / found[name]['median (ms)']
            print(f'{vectors} {size} {name}: done', flush=True)
    return found


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure every index on every gallery."""
    single_thread()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        for vectors in args.vectors:
            for size in args.sizes:
                folder = Path(args.folder or scratch) / f'{vectors}-{size}x{args.dim}'
                figures.setdefault(vectors, {})[str(size)] = run_gallery(vectors, size, folder, args)
    return figures
