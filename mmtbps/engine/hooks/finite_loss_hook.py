"""Stop at losses and weights that are no numbers."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.distributed import unwrap
from mmtbps.core.files import write_atomically
from mmtbps.registry import HOOKS

__all__ = ['FiniteLossHook']

_SHOWN = 8


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Take no step on a loss that is NaN or infinite, and save no weights that are.

    The check comes before the backward pass, so that the weights are still good. The run stops with the names of the
    losses and of the batch's files; weights, optimizer and file names are put aside in ``nonfinite/`` for inspection,
    and the last checkpoint stays. Steps that the gradient scaler of fp16 leaves out are its own affair: their losses
    are finite. Over several processes all do as the one that found it.

    Args:
        skip: How many iterations of a run may be left out instead, with a warning each. Defaults to 0: one such loss
            means that the run has gone wrong.

    Raises:
        ValueError: If ``skip`` is negative.
    """

    # Before RuntimeInfoHook, which logs the losses, and QueueUpdateHook, which would take over the keys of the batch.
    priority = 5

    @checked()
    def __init__(self, skip: int = 0) -> None:
        self.skip = skip
        self._found = False
        self._buffers: dict[str, Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        """Look at every loss before it is used."""
        wrapper: Any = runner.optim_wrapper
        update = wrapper.update_params

        def guarded(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            self._found = _anywhere(not bool(torch.isfinite(loss).all()))
            if not self._found:
                update(loss, *args, **kwargs)
            elif hasattr(wrapper, '_inner_count'):
                wrapper._inner_count += 1  # the steps of accumulated gradients stay where they were

        wrapper.update_params = guarded

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Keep the running statistics, which the forward pass moves, if an iteration may be left out."""
        if self.skip:
            buffers = unwrap(runner.model).named_buffers()
            self._buffers = {name: buffer.clone() for name, buffer in buffers if not name.startswith('queue.')}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Stop, or note what was left out.

        Args:
            runner: The runner of the training process.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch.
            outputs: Logged losses of the iteration.

        Raises:
            RuntimeError: If the loss was not finite, and as many as allowed have been left out before.
        """
        if not self._found:
            return
        self._found = False
        skipped = runner.message_hub.runtime_info.get('skipped_iterations', 0)
        message = f'Iteration {runner.iter + 1}: {_describe(runner, data_batch, outputs or {})}'
        if skipped >= self.skip:
            folder = _put_aside(runner, data_batch, outputs or {})
            allowed = f' {skipped} iterations were left out before.' if self.skip else ''
            raise RuntimeError(
                f'{message} The run stops before anything is saved;{allowed} the state is in {folder}, and the last '
                'checkpoint is good. Lower the learning rate, clip gradients (optim_wrapper.clip_grad), or look at '
                'these files; default_hooks.finite_loss.skip=N leaves out up to N such iterations.'
            )
        runner.message_hub.update_info('skipped_iterations', skipped + 1)
        model = unwrap(runner.model)
        for name, buffer in self._buffers.items():
            model.get_buffer(name).copy_(buffer)
        if hasattr(model, 'queue'):
            model.queue.discard()
        for name in outputs or {}:
            outputs[name] = torch.tensor(0.0)  # type: ignore[index]  # so that the means in the log stay numbers
        runner.logger.warning(f'{message} It is left out, the {skipped + 1}. of at most {self.skip}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to save weights that are no numbers, which a step on large gradients may have made.

        Raises:
            RuntimeError: If there are such weights.
        """
        trained = {name for name, _ in unwrap(runner.model).named_parameters()}
        broken = [
            name
            for name, value in checkpoint['state_dict'].items()
            if isinstance(value, Tensor) and value.is_floating_point() and _is_broken(value, name in trained)
        ]
        if broken:
            raise RuntimeError(
                f'After iteration {checkpoint["meta"]["iter"]}, {len(broken)} weights are NaN or infinite, the first '
                f'is {broken[0]}. They are not saved, and the last checkpoint is good. Lower the learning rate or clip '
                'gradients (optim_wrapper.clip_grad).'
            )


def _is_broken(value: Tensor, trained: bool) -> bool:
    """Whether there is a NaN, or in a trained weight an infinity; buffers may hold infinities, as masks do."""
    return bool(value.isnan().any()) or (trained and bool(value.isinf().any()))


def _anywhere(found: bool) -> bool:
    """Whether any process has found one."""
    if get_world_size() == 1:
        return found
    flag = torch.tensor(int(found))
    all_reduce(flag, 'max')
    return bool(flag)


def _describe(runner: Runner, data_batch: Any, outputs: Mapping[str, Any]) -> str:
    """Losses, learning rate, loss scale and files of a batch, in a sentence."""
    losses = {name: float(value) for name, value in outputs.items() if 'loss' in name}
    broken = ', '.join(f'{name} = {value}' for name, value in losses.items() if not abs(value) < float('inf'))
    rates = sorted({rate for rates in runner.optim_wrapper.get_lr().values() for rate in rates})
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    scale = f', loss scale {scaler.get_scale():g}' if scaler is not None else ''
    files = _files(data_batch)
    shown = ', '.join(files[:_SHOWN]) + (f' and {len(files) - _SHOWN} more' if len(files) > _SHOWN else '')
    where = broken or 'the loss of another process is not finite'
    return f'{where} (learning rate {", ".join(f"{rate:g}" for rate in rates)}{scale}). Files of the batch: {shown}.'


def _files(data_batch: Any) -> list[str]:
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    return [str(sample.get('img_path', '?')) for sample in samples or [] if hasattr(sample, 'get')]


def _put_aside(runner: Runner, data_batch: Any, outputs: Mapping[str, Any]) -> Path:
    """Write what one wants to look at; not as a checkpoint, which a run might be resumed from."""
    folder = Path(runner.work_dir) / 'nonfinite'
    if is_main_process():
        content = io.BytesIO()
        state = dict(
            state_dict=weights_to_cpu(unwrap(runner.model).state_dict()),
            optimizer_state=runner.optim_wrapper.state_dict(),
            losses={name: float(value) for name, value in outputs.items()},
            files=_files(data_batch),
            meta=dict(iter=runner.iter, epoch=runner.epoch),
        )
        torch.save(state, content)
        write_atomically(folder / f'iter_{runner.iter + 1}.pth', content.getvalue())
    return folder
