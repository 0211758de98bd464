"""Random numbers of an item as a function of (seed, epoch, item)."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ['ItemRNG']


class ItemRNG:
    """Seeds the global generators of Python, NumPy and torch (CPU) for one item at a time.

    Transforms of MMCV, MMPretrain and torchvision draw from the global generators. MMEngine seeds those of a data
    loader's workers once, without the epoch, so what an item draws depends on the worker, on the number of workers
    and on every item before it. Inside :meth:`item` it depends on (seed, epoch, item) only, hence a resumed run
    continues with the very same augmentation.

    Seed and epoch live in shared memory: workers that outlive an epoch (``persistent_workers``) see :meth:`set`.

    Args:
        seed (int): Not negative. Defaults to 0.
        epoch (int): Not negative. Defaults to 0.
    """

    def __init__(self, seed: int = 0, epoch: int = 0) -> None:
        self._state = torch.zeros(2, dtype=torch.int64).share_memory_()
        self.set(epoch, seed)

    def set(self, epoch: int, seed: int | None = None) -> None:
        """Move to an epoch.

        Args:
            epoch (int): Counted from 0.
            seed (int, optional): The seed of the run. Defaults to None: it stays.

        Raises:
            ValueError: If one of them is negative.
        """
        for name, value in (('epoch', epoch), ('seed', seed)):
            if value is not None and value < 0:
                raise ValueError(f'{name} must not be negative, but got {value}.')
        self._state[1] = epoch
        if seed is not None:
            self._state[0] = seed

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self._state[0])

    @property
    def epoch(self) -> int:
        """The epoch, counted from 0."""
        return int(self._state[1])

    @contextmanager
    def item(self, index: int) -> Iterator[None]:
        """Seed the generators for an item; afterwards they are as they were.

        Args:
            index (int): Position of the item in the data set, not negative.
        """
        states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
        words = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(6)
        try:
            random.seed(words[:2].tobytes())
            np.random.seed(words[2:4])
            torch.default_generator.manual_seed(int.from_bytes(words[4:].tobytes(), 'little') >> 1)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.default_generator.set_state(states[2])

    def __setstate__(self, state: dict) -> None:
        # A copy or a plain pickle carries the numbers but not the sharing.
        self.__dict__.update(state)
        self._state.share_memory_()
