"""Batches of P identities with K image-caption pairs each."""

from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmtbps.core.arguments import checked
from mmtbps.registry import DATA_SAMPLERS

__all__ = ['IdentitySampler']


@DATA_SAMPLERS.register_module()
class IdentitySampler(Sampler[int]):
    r"""Sample P identities and K pairs of each per batch, so that every pair has further positives in its batch.

    The P x K batch is that of `In Defense of the Triplet Loss for Person Re-Identification
    <https://arxiv.org/abs/1703.07737>`_. Give the data loader the same ``batch_size``::

        train_dataloader = dict(batch_size=128, sampler=dict(type='IdentitySampler', batch_size=128, num_instances=4))

    An epoch is drawn without replacement. The :math:`n` pairs of an identity are shuffled and cut into
    :math:`\lfloor n / K \rfloor` blocks of K; the remainder is left out in this epoch, another one in the next. An
    identity with fewer than K pairs gives one block, in which its pairs are repeated in turn. Blocks are distributed to
    batches such that the identities of a batch are all different, and the epoch has as many full batches as possible:
    blocks that remain after the last full batch (``drop_last``), and those that an identity has beyond the number of
    batches, are left out too.

    The plan is drawn for the batch of all processes together, and each process takes its contiguous slice of every
    batch. Hence N processes with ``batch_size=B`` see the same batches as one process with ``batch_size=N * B``. The
    plan is a function of (seed, epoch) alone; its length is the same in every process and epoch.

    Args:
        dataset: Data set whose ``person_ids`` has one integer per item.
        batch_size: Items per batch and process, a multiple of ``num_instances``.
        num_instances: Pairs of one identity in a batch, K. CM-MoCo uses 4, with ``batch_size=128``.
        seed: Seed of the plan, the same in all processes; MMEngine's Runner passes its own. None draws a random one
            that all processes share. Defaults to 0.

    Raises:
        TypeError: If ``dataset`` has no ``person_ids``.
        ValueError: If a size is not positive or does not divide, or if a batch needs more identities than there are.
    """

    @checked()
    def __init__(self, dataset: Sized, batch_size: int, num_instances: int, seed: int | None = 0) -> None:
        self.rank, world_size = get_dist_info()
        self.batch_size = batch_size
        self.num_instances = num_instances
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self._check_sizes()
        self._identities_per_batch = batch_size // num_instances * world_size

        # labels: identity of every item as 0 .. C - 1; counts: pairs of every identity.
        _, self._labels, self._counts = np.unique(_person_ids(dataset), return_inverse=True, return_counts=True)
        if len(self._counts) < self._identities_per_batch:
            raise ValueError(
                f'A batch needs batch_size / num_instances x processes = {batch_size} / {num_instances} x {world_size} '
                f'= {self._identities_per_batch} different identities, but the data set has only {len(self._counts)}. '
                'Lower batch_size or raise num_instances.'
            )
        self._num_batches = self._count_batches(self._blocks)

    def _check_sizes(self) -> None:
        for name in ('batch_size', 'num_instances'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, but got {getattr(self, name)}.')
        if self.batch_size % self.num_instances:
            raise ValueError(
                f'batch_size={self.batch_size} is not a multiple of num_instances={self.num_instances}; a batch is '
                'made of whole identities with num_instances pairs each.'
            )

    @property
    def _blocks(self) -> np.ndarray:
        """Blocks that every identity has to give, shape (C,)."""
        return np.maximum(self._counts // self.num_instances, 1)

    def _count_batches(self, blocks: np.ndarray) -> int:
        """The largest n for which sum_i min(blocks_i, n) >= n P: then n batches of P different identities exist."""
        longest = int(blocks.sum()) // self._identities_per_batch
        batches = np.arange(1, longest + 1)
        with_more = len(blocks) - np.cumsum(np.bincount(blocks, minlength=longest))[:longest]
        return int(batches[np.cumsum(with_more) >= batches * self._identities_per_batch][-1])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the plan; MMEngine's ``DistSamplerSeedHook`` calls it.

        Args:
            epoch: Epoch, counted from 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of items of this process in an epoch, a multiple of ``batch_size``."""
        return self._num_batches * self.batch_size

    def __iter__(self) -> Iterator[int]:
        """Iterate over the items of this process, batch by batch, the K pairs of an identity side by side."""
        start = self.rank * self.batch_size
        return iter(self._draw_plan()[:, start : start + self.batch_size].ravel().tolist())

    def _draw_plan(self) -> np.ndarray:
        """Draw the batches of all processes together, shape (batches, batch_size x processes)."""
        rng = np.random.default_rng((self.seed, self.epoch))
        owners, numbers = self._draw_blocks(rng)
        rows = _deal(owners, rng)
        items = self._fill_blocks(owners, numbers, rng)
        plan = np.empty((self._num_batches, self._identities_per_batch, self.num_instances), dtype=np.int64)
        plan[rows, np.arange(self._identities_per_batch)[:, None]] = items
        return plan.reshape(self._num_batches, -1)

    def _draw_blocks(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw which blocks take part: their identity and their number within it, each of shape (P, batches).

        Read row by row, the blocks of an identity follow one another and the identities come in random order.
        """
        identities = rng.permutation(len(self._counts))
        blocks = np.minimum(self._blocks, self._num_batches)[identities]
        owners = np.repeat(identities, blocks)
        numbers = np.arange(len(owners)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
        shape = self._identities_per_batch, self._num_batches
        kept = np.sort(rng.permutation(len(owners))[: shape[0] * shape[1]])
        return owners[kept].reshape(shape), numbers[kept].reshape(shape)

    def _fill_blocks(self, owners: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Shuffle the pairs of every identity and cut the blocks from them, shape (P, batches, K)."""
        items = rng.permutation(len(self._labels))
        items = items[np.argsort(self._labels[items], kind='stable')]  # by identity, in random order within
        starts = np.cumsum(self._counts) - self._counts
        positions = numbers[..., None] * self.num_instances + np.arange(self.num_instances)
        return items[starts[owners][..., None] + positions % self._counts[owners][..., None]]


def _person_ids(dataset: Any) -> np.ndarray:
    """Identities of the items of ``dataset``, checked."""
    if not hasattr(dataset, 'person_ids'):
        raise TypeError(
            f'IdentitySampler needs a data set with `person_ids`, one integer per item, but {type(dataset).__name__} '
            'has none. Derive it from TBPSDataset, and wrap it by the classes of mmtbps.datasets.'
        )
    person_ids = np.asarray(dataset.person_ids)
    if hasattr(dataset, '__len__'):
        person_ids = person_ids[: len(dataset)]  # MMEngine's `num_batch_per_epoch` shortens only the length
    if person_ids.ndim != 1 or not np.issubdtype(person_ids.dtype, np.integer):
        raise ValueError(
            'dataset.person_ids must hold one integer per item, but it has the shape '
            f'{person_ids.shape} and the type {person_ids.dtype}.'
        )
    return person_ids


def _deal(owners: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose the batch of every block at random, no two blocks of an identity in the same one.

    Every row of the result is a permutation of the batches, so blocks of an identity in one row never meet. Those of
    an identity that runs on into the next row are moved to batches that it has not been given yet.

    Args:
        owners: Identities of the blocks, shape (P, batches); those of an identity follow one another.
        rng: Source of the random numbers.

    Returns:
        Number of the batch, shape (P, batches).
    """
    rows = rng.permuted(np.tile(np.arange(owners.shape[1]), (len(owners), 1)), axis=1)
    for row in np.flatnonzero(owners[1:, 0] == owners[:-1, -1]) + 1:
        identity = owners[row, 0]
        taken = rows[row - 1][owners[row - 1] == identity]
        head = rows[row][~np.isin(rows[row], taken)][: np.count_nonzero(owners[row] == identity)]
        rows[row] = np.concatenate([head, rows[row][~np.isin(rows[row], head)]])
    return rows
