"""Whether a config trains twice alike, and if not, what differs first."""

import copy
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import Tensor

from mmtbps.core.distributed import unwrap

from .runs import build_runner

__all__ = ['find_first_difference']

Trace = list[tuple[str, Any]]
"""What was seen, in order: what it is, and its value."""


class _Enough(Exception):
    """Ends a run that has been watched for long enough."""


class _Recorder(Hook):
    """Note digests of the batches, the losses, and at the end the digest of every weight."""

    priority = 'VERY_LOW'

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.trace: Trace = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        for name, value in _tensors('', data_batch):
            self.trace.append((f'iteration {runner.iter + 1}, {name} of the batch', _digest(value)))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        for name, value in (outputs or {}).items():
            self.trace.append((f'iteration {runner.iter + 1}, {name}', float(value)))
        if runner.iter + 1 >= self.iterations:
            model = unwrap(runner.model)
            self.trace += [(f'weight {name}', _digest(value)) for name, value in model.state_dict().items()]
            raise _Enough


def _digest(value: Tensor) -> str:
    return hashlib.sha256(value.detach().cpu().contiguous().float().numpy().tobytes()).hexdigest()[:12]


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _tensors(f'{name}.{key}'.lstrip('.'), part)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _tensors(f'{name}[{number}]', part)


def find_first_difference(cfg: Config, iterations: int = 20) -> str | None:
    """Train twice from a config for a few iterations, and compare all batches, losses and final weights bit by bit.

    Args:
        cfg: A complete config; it stays as it is. Nothing is written into its work directory.
        iterations: How many iterations. Defaults to 20.

    Returns:
        What differs first, with both values; None if nothing does.

    Raises:
        ValueError: If ``iterations`` is below 1, or the training ends before.
    """
    if iterations < 1:
        raise ValueError(f'iterations must be at least 1, got {iterations}')
    one, other = (_watch(cfg, iterations, number) for number in range(2))
    return _compare(one, other)


def _watch(cfg: Config, iterations: int, number: int) -> Trace:
    """Train once and return what was seen."""
    recorder = _Recorder(iterations)
    with tempfile.TemporaryDirectory() as folder:
        cfg = copy.deepcopy(cfg)
        cfg.work_dir, cfg.experiment_name = folder, f'determinism_{number}_{folder.rpartition("/")[2]}'
        runner = build_runner(cfg)
        runner.register_hook(recorder)
        try:
            runner.train()
        except _Enough:
            return recorder.trace
    raise ValueError(f'the training of {cfg.filename} ends before iteration {iterations}; ask for fewer')


def _compare(one: Sequence[tuple[str, Any]], other: Sequence[tuple[str, Any]]) -> str | None:
    for (name, value), (other_name, other_value) in zip(one, other, strict=False):
        if name != other_name:
            return f'the first run came to {name}, the second to {other_name}'
        if value != other_value and not (value != value and other_value != other_value):
            return f'{name}: {value} and {other_value}'
    return None if len(one) == len(other) else f'the runs noted {len(one)} and {len(other)} things'
