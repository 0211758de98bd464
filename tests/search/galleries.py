"""Galleries of made-up features, and the slow plain way to search them."""

import torch

from mmtbps.search import Fingerprint, GalleryImage, GalleryStore
from mmtbps.search.shards import Shard

PRINT = Fingerprint('weights', 'model', 'preprocessing')


def clustered(count, dim=32, seed=0):
    """Features of persons, eight images each, rows of length 1."""
    rng = torch.Generator().manual_seed(seed)
    centres = torch.randn(-(-count // 8), dim, generator=torch.Generator().manual_seed(9))
    features = centres.repeat_interleave(8, 0)[:count] + 0.6 * torch.randn(count, dim, generator=rng)
    return torch.nn.functional.normalize(features, dim=1)


def append(store, features):
    first = store.num_rows
    images = [GalleryImage(f'/{row}.png', 1, 1, dict(number=row)) for row in range(first, first + len(features))]
    store.append(Shard(features, images, PRINT))


def publish(index, store):
    """What a writer does at the end of an update."""
    index.sync(store, store.folder)
    store.publish(index.save(store.folder, store.generation + 1))
    index.published(store)


def make_store(features, block_size, removed=(), folder=None):
    store = GalleryStore(PRINT, folder)
    for part in features.split(block_size):
        append(store, part)
    store.remove(f'/{row}.png' for row in removed)
    return store


def plain_search(features, queries, count, allowed):
    """One stable sort a query."""
    found = torch.full((len(queries), count), -1)
    for number, query in enumerate(queries):
        scores = [(-float(query @ features[row]), row) for row in allowed]
        best = [row for _, row in sorted(scores)][:count]
        found[number, : len(best)] = torch.tensor(best, dtype=torch.int64)
    return found


def recall(found, expected):
    """Share of the expected rows that were found."""
    return float((expected[:, :, None] == found[:, None, :]).any(dim=2).float().mean())
