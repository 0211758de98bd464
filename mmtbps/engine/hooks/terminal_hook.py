"""A training in a few lines."""

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmtbps.core.terminal import progress_bar, tell
from mmtbps.registry import HOOKS

from ..data_sizes import find_sizes
from ..progress import progress

__all__ = ['TerminalHook']

_LINES = 20
_SHOWN = 6


@HOOKS.register_module()
class TerminalHook(Hook):
    """Tells how a training goes: two lines an epoch, and on a terminal a bar with loss, rate, time left and best score.

    A training of iterations has a line twenty times, and at each validation. The log file has MMEngine's own lines in
    full. With this hook in ``default_hooks`` the terminal is quiet; ``default_hooks.terminal=None`` (``--verbose``)
    shows everything instead.
    """

    # Behind the hook that chooses the best checkpoint.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._begin = self._since = 0.0
        self._done_before = 0

    def before_train(self, runner: Runner) -> None:
        """Tell what is trained, how long, and where the log is."""
        unit, done = progress(runner)
        loop = runner.train_loop
        total = runner.max_epochs if unit == 'epoch' else runner.max_iters
        count = len(runner.train_dataloader) if unit == 'epoch' else 0
        steps = f' of {count:,} step{"" if count == 1 else "s"}' if count else ''
        behind = f', {done:,} of them done' if done else ''
        folder = Path(runner.log_dir, f'{runner.timestamp}.log')
        sizes = [f'{key}={node[key]}' for _, node, key in find_sizes(runner.cfg.model, 'model')]
        facts = ', '.join([f'{len(loop.dataloader.dataset):,} pairs', *dict.fromkeys(sizes)])
        tell(
            f'{runner.experiment_name.removesuffix(f"_{runner.timestamp}")}: {facts}, '
            f'{total:,} {unit}s{steps}{behind}, on {next(runner.model.parameters()).device}. Log: {_short(folder)}'
        )
        self._begin = self._since = time.monotonic()
        self._done_before = done
        if unit == 'iteration':
            self._open('training', total, done)

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin the bar of an epoch."""
        self._since = time.monotonic()
        if progress(runner)[0] == 'epoch':
            self._open(f'epoch {runner.epoch + 1}/{runner.max_epochs}', len(runner.train_dataloader))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar."""
        if self._bar is not None and not self._bar.disable:
            self._bar.set_postfix_str(_state(runner, 1, self._best(runner)), refresh=False)
            self._bar.update()
        unit, _ = progress(runner)
        every = max(1, runner.max_iters // _LINES)
        if unit == 'iteration' and (runner.iter + 1) % every == 0:
            self._line(runner, f'iteration {runner.iter + 1:,}/{runner.max_iters:,}', runner.iter + 1, every)

    def after_train_epoch(self, runner: Runner) -> None:
        """Tell how the epoch went."""
        unit, done = progress(runner)
        if unit == 'epoch':
            self._close()
            self._line(
                runner, f'epoch {done + 1}/{runner.max_epochs}', done + 1, len(runner.train_dataloader),
                runner.max_epochs,
            )  # fmt: skip

    def after_train(self, runner: Runner) -> None:
        """End the bar."""
        self._close()

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin the bar of a validation."""
        if progress(runner)[0] == 'epoch':
            self._open('validating', len(runner.val_dataloader))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar."""
        if self._bar is not None and progress(runner)[0] == 'epoch':
            self._bar.update()

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Tell the figures of a validation and the best score so far."""
        if progress(runner)[0] == 'epoch':
            self._close()
        figures = '  '.join(f'{key} {value:.2f}' for key, value in _main_figures(runner, metrics or {}).items())
        best = self._best(runner)
        tell(f'    val  {figures}' + (f'  (best {_chosen_by(runner)}so far {best})' if best else ''))

    def before_test_epoch(self, runner: Runner) -> None:
        """Begin the bar of a test."""
        self._open('testing', len(runner.test_dataloader))

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def after_test_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """End the bar; the metric has told its table."""
        self._close()

    def _open(self, what: str, total: int, done: int = 0) -> None:
        self._close()
        if is_main_process():
            self._bar = progress_bar(total, what, initial=done)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self, runner: Runner, name: str, done: int, steps: int, total: int | None = None) -> None:
        now = time.monotonic()
        each = (now - self._begin) / max(1, done - self._done_before)
        left = each * ((runner.max_iters if total is None else total) - done)
        taken, self._since = now - self._since, now
        tell(f'{name}  {_state(runner, steps)}  took {_clock(taken)}' + (f', {_clock(left)} left' if left >= 1 else ''))

    @staticmethod
    def _best(runner: Runner) -> str:
        best = runner.message_hub.runtime_info.get('best_score')
        return '' if best is None else f'{best:.2f}'


def _state(runner: Runner, steps: int, best: str = '') -> str:
    """Loss and rate, a mean over the last steps, and the best score."""
    hub = runner.message_hub
    scalars = hub.log_scalars
    loss = f'loss {scalars["train/loss"].mean(steps):.4g}  ' if 'train/loss' in scalars else ''
    rate = f'lr {scalars["train/lr"].current():.2g}' if 'train/lr' in scalars else ''
    return f'{loss}{rate}' + (f'  best {best}' if best else '')


def _main_figures(runner: Runner, metrics: Mapping[str, float]) -> dict[str, float]:
    """What the best checkpoint is chosen by, Rank-1, mAP, and what other metrics say."""
    usual = re.compile(r'.*/(R@(?!1$)\d+|mINP)')
    keys = [*_save_best(runner), *(key for key in metrics if not usual.fullmatch(key))]
    found = [key for key in dict.fromkeys(keys) if isinstance(metrics.get(key), int | float)]
    return {key: metrics[key] for key in found[:_SHOWN]}


def _save_best(runner: Runner) -> list[str]:
    keys = ((runner.cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best') or []
    return [keys] if isinstance(keys, str) else list(keys)


def _chosen_by(runner: Runner) -> str:
    """Name of the metric that the best score is of, if there is one alone."""
    keys = _save_best(runner)
    return f'{keys[0]} ' if len(keys) == 1 and keys[0] != 'auto' else ''


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
