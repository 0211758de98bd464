"""Random numbers of an item as a function of (seed, epoch, item)."""

import hashlib
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
    and on every item before it. Inside :meth:`item` it depends on (seed, epoch, item) only, so that a resumed run
    continues with exactly the same augmentation.

    Seed and epoch are stored in shared memory, so that workers that outlive an epoch (``persistent_workers``) see
    :meth:`set`.

    Args:
        seed: Seed of the run, not negative. Defaults to 0.
        epoch: Epoch, not negative. Defaults to 0.
    """

    def __init__(self, seed: int = 0, epoch: int = 0) -> None:
        self._state = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._numpy_generator = np.random.MT19937()
        self.set(epoch, seed)

    def set(self, epoch: int, seed: int | None = None) -> None:
        """Set epoch and seed.

        Args:
            epoch: Epoch, counted from 0.
            seed: Seed of the run. Defaults to None: unchanged.

        Raises:
            ValueError: If one of them is negative.
        """
        for name, value in (('epoch', epoch), ('seed', seed)):
            if value is not None and value < 0:
                raise ValueError(f'{name} must not be negative, but got {value}.')
        self._state[1] = epoch
        if seed is not None:
            self._state[0] = seed

    @contextmanager
    def item(self, index: int) -> Iterator[None]:
        """Seed the generators for an item and restore them afterwards.

        NumPy's global generator is exchanged instead of saved, which would take as long as decoding a small image; the
        only part of its state that is lost is a cached normal number.

        Args:
            index: Position of the item in the data set, not negative.
        """
        seed, epoch = self._state.tolist()
        digest = hashlib.blake2b(f'{seed} {epoch} {index}'.encode(), digest_size=20).digest()
        python_state, torch_state = random.getstate(), torch.default_generator.get_state()
        numpy_generator = np.random.get_bit_generator()  # type: ignore[attr-defined]
        try:
            np.random.set_bit_generator(self._numpy_generator)  # type: ignore[attr-defined]
            np.random.seed(int.from_bytes(digest[:4], 'little'))
            random.seed(int.from_bytes(digest[4:12], 'little'))
            torch.default_generator.manual_seed(int.from_bytes(digest[12:], 'little', signed=True))
            yield
        finally:
            np.random.set_bit_generator(numpy_generator)  # type: ignore[attr-defined]
            random.setstate(python_state)
            torch.default_generator.set_state(torch_state)

    def __setstate__(self, state: dict) -> None:
        # A copy or a pickle keeps the numbers but not the sharing.
        self.__dict__.update(state)
        self._state.share_memory_()
