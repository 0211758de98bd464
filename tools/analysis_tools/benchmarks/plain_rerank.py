"""Re-ranking as it is usually written: the yardstick of the rerank benchmark."""

import numpy as np
import torch
from torch import Tensor


def neighbor_lists(query: Tensor, gallery: Tensor, k: int) -> tuple[list[list[int]], list[list[int]]]:
    """The k nearest gallery items of queries and gallery items."""
    query, gallery = (torch.nn.functional.normalize(feats, dim=1) for feats in (query, gallery))
    query_near = (query @ gallery.T).topk(k, dim=1).indices.tolist()
    gallery_near = (gallery @ gallery.T).topk(k, dim=1).indices.tolist()
    return query_near, gallery_near


def jaccard_of_sets(query_near: list[list[int]], gallery_near: list[list[int]]) -> np.ndarray:
    """The double loop over queries and gallery items, sets made from lists inside."""
    result = np.zeros((len(query_near), len(gallery_near)), dtype=np.float32)
    for i, one in enumerate(query_near):
        for j, other in enumerate(gallery_near):
            a, b = set(one), set(other)
            result[i, j] = len(a & b) / len(a | b)
    return result


def dense_k_reciprocal(query: Tensor, gallery: Tensor, k1: int, k2: int, lambda_value: float) -> np.ndarray:
    """k-reciprocal encoding with dense N x N matrices of distances, ranks and weights."""
    items = torch.nn.functional.normalize(torch.cat([query, gallery]), dim=1).numpy()
    count = len(query)
    distance = 2 - 2 * items @ items.T
    distance /= distance.max(axis=1, keepdims=True)
    order = np.argsort(distance, axis=1).astype(np.int32)
    weights = np.zeros_like(distance)
    for i in range(len(items)):
        own = _reciprocal(order, i, k1)
        expanded = own
        for j in own:
            half = _reciprocal(order, j, round(k1 / 2))
            if 3 * len(np.intersect1d(half, own)) > 2 * len(half):
                expanded = np.append(expanded, half)
        expanded = np.unique(expanded)
        weights[i, expanded] = np.exp(-distance[i, expanded])
        weights[i] /= weights[i].sum()
    if k2 > 1:
        averaged = np.zeros_like(weights)
        for i in range(len(items)):
            averaged[i] = weights[order[i, :k2]].mean(axis=0)
        weights = averaged
    members = [np.flatnonzero(weights[:, c]) for c in range(len(items))]
    jaccard = np.zeros((count, len(items)), dtype=distance.dtype)
    for i in range(count):
        shared = np.zeros(len(items), dtype=distance.dtype)
        for c in np.flatnonzero(weights[i]):
            shared[members[c]] += np.minimum(weights[i, c], weights[members[c], c])
        jaccard[i] = 1 - shared / (2 - shared)
    return ((1 - lambda_value) * jaccard + lambda_value * distance[:count])[:, count:]


def _reciprocal(order: np.ndarray, item: int, k: int) -> np.ndarray:
    """The nearest of an item that have it among their nearest."""
    forward = order[item, : k + 1]
    return forward[(order[forward, : k + 1] == item).any(axis=1)]
