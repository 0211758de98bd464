"""Optimizer wrapper with autocast on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper

from mmtbps.core.arguments import checked
from mmtbps.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Run the forward pass under autocast; weights, gradients and optimizer state stay in fp32.

    MMEngine's ``AmpOptimWrapper`` refuses the CPU. bf16 has fp32's range, so no loss scale is needed.

    Args:
        dtype: ``'bfloat16'`` or ``'float16'``; the latter has no loss scale here and may underflow, so prefer
            ``AmpOptimWrapper`` for it. Defaults to ``'bfloat16'``, which CPUs support.
        **kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: If ``dtype`` is neither.
    """

    @checked()
    def __init__(self, dtype: str = 'bfloat16', **kwargs: Any) -> None:
        if dtype not in ('bfloat16', 'float16'):
            raise ValueError(f"AutocastOptimWrapper: dtype must be 'bfloat16' or 'float16', got {dtype!r}.")
        super().__init__(**kwargs)
        self.dtype = getattr(torch, dtype)

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Enable autocast inside MMEngine's context for gradient accumulation."""
        with super().optim_context(model), torch.autocast(get_device().split(':')[0], dtype=self.dtype):
            yield
