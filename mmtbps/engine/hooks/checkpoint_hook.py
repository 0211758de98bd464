"""Checkpoints as transactions."""

import operator
import re
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least
from mmtbps.core.files import remove_leftovers, write_atomically
from mmtbps.registry import HOOKS

__all__ = ['CheckpointHook']


class _LateRemoval:
    """A file backend that keeps what is to be removed until its successor is on the disk."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._doomed: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._doomed.append(('remove', path))

    def rmtree(self, path: str) -> None:
        self._doomed.append(('rmtree', path))

    def carry_out(self, kept: set[str | None]) -> None:
        """Remove what was noted, but for files that have been written anew meanwhile."""
        for method, path in self._doomed:
            if path not in kept:
                getattr(self._backend, method)(path)
        self._doomed.clear()


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, with nothing deleted before its successor is on the disk, synced and named.

    MMEngine removes epoch N, then writes epoch N + 1, and writes in place: a kill or a full disk in between leaves no
    file to resume from. Here a checkpoint is written beside, synced and renamed, then ``last_checkpoint`` likewise, and
    only then the outdated files go. Of a run that was resumed from another folder, files of that folder stay.

    Args:
        interval: Epochs or iterations from one checkpoint to the next. Defaults to -1: none are written.
        *args: See :class:`mmengine.hooks.CheckpointHook`.
        max_keep_ckpts: Number of checkpoints that are kept. Defaults to -1: all.
        save_begin: Epochs or iterations before the first checkpoint. Defaults to 0.
        latest_of_equals: Whether an epoch that is as good as the best one takes its place. A val set of a few persons
            soon knows no better score, and the first epoch to reach it has learnt least. Defaults to False, as in
            MMEngine and the public codes.
        backend_args: Backend of the files. Defaults to None: local ones, written atomically. Another backend has to
            care for that itself.
        **kwargs: See :class:`mmengine.hooks.CheckpointHook`.
    """

    best_ckpt_path: str | None
    interval: int
    save_begin: int
    filename_tmpl: str
    best_ckpt_path_dict: dict[str, str | None]

    @checked(interval=at_least(-1), max_keep_ckpts=at_least(-1))
    def __init__(
        self,
        interval: int = -1,
        *args: Any,
        max_keep_ckpts: int = -1,
        save_begin: int = 0,
        latest_of_equals: bool = False,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if latest_of_equals:
            self.rule_map = dict(greater=operator.ge, less=operator.le)
        kwargs.update(max_keep_ckpts=max_keep_ckpts, save_begin=save_begin)
        super().__init__(interval, *args, backend_args=backend_args or dict(backend='atomic_local'), **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Remove what killed writes left, and let go of the best epoch of another folder.

        In a loop of iterations, epochs are passes over the data.

        Raises:
            ValueError: If another hook chooses best checkpoints as well: they would share one best score.
        """
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            self._count_iterations(len(runner.train_dataloader))
        others = [hook for hook in runner.hooks if isinstance(hook, MMEngineCheckpointHook) and hook is not self]
        if self.save_best is not None and any(hook.save_best is not None for hook in others):
            raise ValueError(
                "Two CheckpointHooks have save_best, and would take each other's best score for theirs. Give one of "
                "them all keys, the first of which chooses what is tested: save_best=['t2i/R@1', ...]."
            )
        super().before_train(runner)
        self.file_backend: Any = _LateRemoval(self.file_backend)
        if is_main_process():
            for folder in {str(self.out_dir), runner.work_dir}:
                for name in remove_leftovers(folder):
                    runner.logger.info(f'Removed {name}, which a write that was interrupted had left in {folder}.')
        if self.save_best is not None and len(self.key_indicators) == 1:
            self.best_ckpt_path = self._own(self.best_ckpt_path)
        elif self.save_best is not None:
            self.best_ckpt_path_dict = {key: self._own(path) for key, path in self.best_ckpt_path_dict.items()}
        goes_on = runner._resume and self._own(str(runner._load_from)) is not None
        if goes_on and is_main_process() and 'last_ckpt' in runner.message_hub.runtime_info:
            self._remove_orphans(runner)

    def _remove_orphans(self, runner: Runner) -> None:
        """Remove what a run that was killed between a write and a removal has left: older than what replaced it."""
        kept = {*map(int, getattr(self, 'keep_ckpt_ids', ())), self._number(runner.message_hub.get_info('last_ckpt'))}
        files = self._numbered('')
        limited = 'keep_ckpt_ids' in runner.message_hub.runtime_info  # else all were to stay
        if limited and self.max_keep_ckpts > 0 and kept & files.keys():
            newest = max(kept & files.keys())
            self._remove(runner, [path for number, path in files.items() if number < newest and number not in kept])
        for key in self.key_indicators if self.save_best is not None else ():
            several = len(self.key_indicators) > 1
            best = self.best_ckpt_path_dict[key] if several else self.best_ckpt_path
            files = self._numbered(f'best_{key}_'.replace('/', '_'))
            if best is not None and Path(best).exists():
                self._remove(runner, [path for number, path in files.items() if number < self._number(best)])

    def _numbered(self, prefix: str) -> dict[int, Path]:
        """Files of this run's folder whose names have this beginning and then the hook's template, by number."""
        before, _, after = self.filename_tmpl.partition('{}')
        pattern = re.compile(re.escape(f'{prefix}{before}') + r'(\d+)' + re.escape(after))
        matches = [(pattern.fullmatch(path.name), path) for path in Path(str(self.out_dir)).iterdir()]
        return {int(match[1]): path for match, path in matches if match}

    @staticmethod
    def _number(path: str) -> int:
        """The last number in the name of a file; -1 if there is none."""
        return int((re.findall(r'\d+', Path(path).stem) or ['-1'])[-1])

    @staticmethod
    def _remove(runner: Runner, paths: list[Path]) -> None:
        for path in paths:
            runner.logger.info(f'Removed {path.name}, which an interrupted run had replaced.')
            path.unlink()

    def _own(self, path: str | None) -> str | None:
        """The path, if it is in the folder of this run, from which alone files are removed."""
        own = path is not None and Path(path).absolute().parent == Path(str(self.out_dir)).absolute()
        return path if own else None

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write a checkpoint and the pointer to it; only then remove what they replace."""
        outdated = self._turn_over(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        write_atomically(Path(runner.work_dir) / 'last_checkpoint', str(self.last_ckpt).encode())
        for path in outdated:
            remove = self.file_backend.remove if self.file_backend.isfile(path) else self.file_backend.rmtree
            if self.file_backend.exists(path):
                remove(path)
        self.file_backend.carry_out(kept={self.last_ckpt, *self._best_files()})

    def _get_metric_score(self, metrics: Any, key_indicator: str) -> Any:
        """The figure to choose by.

        Raises:
            ValueError: If the validation has none of that name.
        """
        if metrics and key_indicator != 'auto' and key_indicator not in metrics:
            raise ValueError(
                f'default_hooks.checkpoint.save_best is {key_indicator!r}, which the validation does not give; it has '
                f'{", ".join(metrics)}.'
            )
        return super()._get_metric_score(metrics, key_indicator)

    def _count_iterations(self, length: int) -> None:
        """Count in iterations what was counted in passes of so many."""
        self.by_epoch = False
        self.interval = self.interval * length if self.interval > 0 else self.interval
        self.save_begin *= length
        self.filename_tmpl = 'iter_{}.pth' if self.filename_tmpl == 'epoch_{}.pth' else self.filename_tmpl

    def _turn_over(self, runner: Runner, step: int) -> list[str]:
        """Note a step among those that are kept; returns the files of those that are no longer."""
        outdated: list[str] = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            while len(self.keep_ckpt_ids) >= self.max_keep_ckpts:
                name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                outdated.append(self.file_backend.join_path(self.out_dir, name))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated

    def _best_files(self) -> set[str | None]:
        several = getattr(self, 'best_ckpt_path_dict', {})
        return {getattr(self, 'best_ckpt_path', None), *several.values()}

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Write the best epoch; only then remove the one that was best before."""
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            self.file_backend.carry_out(kept={self.last_ckpt, *self._best_files()})
