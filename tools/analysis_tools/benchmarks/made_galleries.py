"""Galleries of made-up features for the search benchmark, kept in a folder, and the plain way to search them."""

import time
from pathlib import Path

import torch
from torch import Tensor

from mmtbps.search import Fingerprint, GalleryImage, GalleryStore
from mmtbps.search.generations import MANIFEST
from mmtbps.search.shards import Shard

from .features import person_features

IMAGES_PER_PERSON = 10
NOISE = {'identity': (0.6, 0.75), 'isotropic': (1.0, 0.5)}
"""Of images and of queries, in units of the centres' deviation."""
VECTORS = (*NOISE, 'gaussian')
_EFFECTIVE_DIM = 32
_BLOCK = 8192


def make_features(vectors: str, count: int, dim: int, query: bool) -> Tensor:
    """Draw features of images or queries.

    Args:
        vectors: ``'identity'``: a centre for every person, ten images around it, queries around the first
            centres. Deviations fall along the axes as exp(-i / 32), so that the features fill about 32 dimensions
            (participation ratio), as learnt ones do: those of ToyPEDES's model fill 17. ``'isotropic'``: likewise with
            equal deviations, persons far apart. ``'gaussian'``: no persons, images and queries independent.
        count: How many images the gallery has; a thousand queries are drawn for it at most.
        dim: Width of a feature.
        query: Whether to draw the queries.

    Returns:
        Rows of length 1.
    """
    number, seed = (min(count, 1000), 1) if query else (count, 2)
    if vectors == 'gaussian':
        feats = torch.randn(number, dim, generator=torch.Generator().manual_seed(seed))
    else:
        noise = NOISE[vectors][query]
        feats, _ = person_features(number, max(1, count // IMAGES_PER_PERSON), dim, noise, seed)
    if vectors == 'identity':
        feats *= torch.exp(-torch.arange(dim) / _EFFECTIVE_DIM)
    return torch.nn.functional.normalize(feats, dim=1)


def make_gallery(folder: Path, features: Tensor) -> None:
    """Write a gallery, unless the folder has it already.

    Args:
        folder: The gallery's folder.
        features: Features (N, D), rows of length 1.

    Raises:
        ValueError: If the folder has another gallery.
    """
    if (folder / MANIFEST).exists():
        store = GalleryStore.load(folder)
        if store.num_rows != len(features) or not torch.equal(store.take(torch.arange(10)), features[:10]):
            raise ValueError(f'{folder} has a gallery of other features; remove it or choose another --folder.')
        return
    fingerprint = Fingerprint('none', 'none', 'none')
    store = GalleryStore(fingerprint)
    for start in range(0, len(features), _BLOCK):
        part = features[start : start + _BLOCK]
        images = [GalleryImage(f'/{row:07d}.jpg', 1, 1) for row in range(start, start + len(part))]
        store.append(Shard(part, images, fingerprint))
    store.save(folder)
    store.publish({})


def plain_search(features: Tensor, query: Tensor, topk: int) -> Tensor:
    """Compare a query (D,) with everything and sort all of it: rows (topk,), the best first."""
    return torch.argsort(features @ query, descending=True)[:topk]


def time_plain(features: Tensor, queries: Tensor, topk: int) -> tuple[Tensor, Tensor]:
    """Search with every query; returns rows (Q, topk) and seconds (Q,)."""
    rows, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        rows.append(plain_search(features, query, topk))
        seconds.append(time.perf_counter() - start)
    return torch.stack(rows), torch.tensor(seconds)
