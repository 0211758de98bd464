"""Rows of a gallery that are equal: an index holds one of them and answers with all."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..store import GalleryStore

__all__ = ['Copies']


class Copies:
    """Which rows of a gallery are equal, bit by bit, to an earlier one.

    A graph or a list in which thousands of vectors are equal leads to nothing else. An index therefore holds the first
    of them alone, under its place among all rows that are no copies.

    Args:
        num_rows: Number of rows of the gallery.
        copies: For each row that has copies its number and theirs. Defaults to none.

    Raises:
        ValueError: If the numbers are not rows, each in one group.
    """

    def __init__(self, num_rows: int = 0, copies: list[list[int]] | None = None) -> None:
        self.groups = copies or []
        later = np.array([row for group in self.groups for row in group[1:]], dtype=np.int64)
        everywhere = np.array([row for group in self.groups for row in group], dtype=np.int64)
        if len(np.unique(everywhere)) != len(everywhere) or not ((everywhere >= 0) & (everywhere < num_rows)).all():
            raise ValueError('Groups of equal rows overlap or name rows that there are not.')
        self.rows = np.delete(np.arange(num_rows), later)
        self._of = {group[0]: group[1:] for group in self.groups}

    @classmethod
    def find(cls, store: GalleryStore) -> 'Copies':
        """Look for equal rows of a gallery."""
        keys = np.concatenate([_keys(block.numpy()) for _, block in store.blocks()])
        _, group_of, sizes = np.unique(keys, return_inverse=True, return_counts=True)
        suspects = np.flatnonzero(sizes[group_of] > 1)
        groups: dict[bytes, list[int]] = {}
        for row in suspects.tolist():
            groups.setdefault(store.take(torch.tensor([row])).numpy().tobytes(), []).append(row)
        return cls(store.num_rows, [group for group in groups.values() if len(group) > 1])

    @classmethod
    def of(cls, num_rows: int, data: Any) -> 'Copies | None':
        """Read groups from a manifest; None if they are none."""
        if not isinstance(data, list) or not all(
            isinstance(group, list) and group and all(type(row) is int for row in group) for group in data
        ):
            return None
        try:
            return cls(num_rows, data)
        except ValueError:
            return None

    def choose(self, mask: np.ndarray) -> np.ndarray:
        """Which of :attr:`rows` stand for a row that a mask allows, bool (number of those rows,)."""
        chosen = mask.copy()
        for row, others in self._of.items():
            chosen[row] |= mask[others].any()
        return chosen[self.rows]

    def expand(self, places: Tensor) -> Tensor:
        """Turn places among :attr:`rows` (Q, n), -1 for none, into rows with all their copies (Q, m), -1 for none."""
        found = torch.from_numpy(np.where(places >= 0, self.rows[places.clamp(min=0)], -1))
        if not self._of:
            return found
        further = [
            torch.tensor([copy for row in line if row in self._of for copy in self._of[row]], dtype=torch.int64)
            for line in found.tolist()
        ]
        padded = torch.nn.utils.rnn.pad_sequence(further, batch_first=True, padding_value=-1)
        return torch.cat([found, padded], dim=1)


def _keys(features: np.ndarray) -> np.ndarray:
    """A number for each row (n,) uint64, equal for equal rows and hardly ever for others."""
    words = np.ascontiguousarray(features).view(np.uint32)
    weights: Any = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64) * 2 + 1
    keys = np.zeros(len(words), dtype=np.uint64)
    for number in range(words.shape[1]):
        keys += words[:, number].astype(np.uint64) * weights[number]
    return keys
