"""What the benchmarks share."""

import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import cv2
import numpy as np
import torch

PACKAGES = ('torch', 'torchvision', 'numpy', 'opencv-python', 'pillow', 'mmengine', 'mmpretrain')
OPTIONAL = ('faiss-cpu', 'pymilvus', 'milvus-lite')


def single_thread() -> None:
    """Let OpenCV and torch compute on one core."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def once(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def time_in_turn(candidates: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, np.ndarray]:
    """Time functions one after the other, round by round, so that a busy machine slows all of them alike.

    Args:
        candidates: Functions without arguments.
        repeats: Rounds, after one that is not measured.

    Returns:
        Seconds of every round, shape (repeats,).
    """
    seconds = {name: np.zeros(repeats + 1) for name in candidates}
    for turn in range(repeats + 1):
        for name, function in candidates.items():
            seconds[name][turn], _ = once(function)
    return {name: values[1:] for name, values in seconds.items()}


def median_ratio(slow: np.ndarray, fast: np.ndarray) -> float:
    """How many times as fast, the median of the rounds."""
    return float(np.median(slow / fast))


def environment() -> dict[str, Any]:
    """Describe machine and packages."""
    packages = {name: version(name) for name in PACKAGES}
    for name in OPTIONAL:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    return dict(
        python=platform.python_version(),
        machine=platform.machine(),
        system=platform.system(),
        cpus=torch.multiprocessing.cpu_count(),
        packages=packages,
    )


def format_figures(title: str, figures: Mapping[str, Any], indent: int = 0) -> str:
    """Lay out nested figures, one per line."""
    lines = [' ' * indent + title]
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines.append(format_figures(name, value, indent + 2))
        else:
            lines.append(f'{" " * (indent + 2)}{name:<40}{value:>12,.4g}')
    return '\n'.join(lines)
