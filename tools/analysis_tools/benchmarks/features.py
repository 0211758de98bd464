"""Features as a trained model gives them, and the memory that handling them takes."""

import ctypes
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


def person_features(count: int, persons: int, dim: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Draw features around one centre a person; the centres are the same for every seed.

    Args:
        count: Items.
        persons: Persons, each with about equally many items.
        dim: Width of a feature.
        noise: Deviation of an item from its centre, whose own deviation is 1.
        seed: Seed of the items.

    Returns:
        Features (count, dim) and person ids (count,), in random order.
    """
    centres = torch.randn(persons, dim, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(seed)
    person_ids = (torch.arange(count) % persons)[torch.randperm(count, generator=rng)]
    feats = torch.randn(count, dim, generator=rng).mul_(noise)
    return feats.add_(centres[person_ids]), person_ids


def _status(key: str) -> float:
    """A line of Linux's process status, in megabytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024 / 1e6


def resident() -> dict[str, float]:
    """Memory that the process holds now, in megabytes: its own, and pages of files that are mapped (Linux only)."""
    getattr(ctypes.CDLL(None), 'malloc_trim', lambda _: None)(0)
    return {'own': _status('RssAnon'), 'mapped': _status('RssFile')}


def peak_growth(function: Callable[[], Any]) -> float:
    """Memory of the process that a call adds at its peak, its result included, in megabytes.

    Linux resets the peak on request; elsewhere the highest peak so far is taken, so measure small before large.
    """
    if CLEAR.exists():
        # What the allocator kept of earlier calls would hide what this one needs.
        getattr(ctypes.CDLL(None), 'malloc_trim', lambda _: None)(0)
        CLEAR.write_text('5')
        before = _status('VmRSS')
        function()
        return _status('VmHWM') - before
    unit = 1e6 if sys.platform == 'darwin' else 1e6 / 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    function()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit - before


def largest_difference(one: Any, other: Any) -> float:
    """Largest absolute difference of two arrays."""
    return float(np.abs(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)).max())
