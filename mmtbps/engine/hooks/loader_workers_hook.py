"""Workers of data loaders that end with their run."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.core.processes import die_with_parent
from mmtbps.registry import HOOKS

__all__ = ['LoaderWorkersHook']


@HOOKS.register_module()
class LoaderWorkersHook(Hook):
    """Let the workers of all data loaders end with the process that started them, however that ends."""

    def before_train(self, runner: Runner) -> None:
        """Prepare the training loader."""
        _prepare(runner.train_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Prepare the validation loader."""
        _prepare(runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Prepare the test loader."""
        _prepare(runner.test_dataloader)


def _prepare(loader: Any) -> None:
    earlier = loader.worker_init_fn
    if not (isinstance(earlier, partial) and earlier.func is _start):
        loader.worker_init_fn = partial(_start, earlier)


def _start(earlier: Callable[[int], None] | None, worker_id: int) -> None:
    die_with_parent()
    if earlier is not None:
        earlier(worker_id)
