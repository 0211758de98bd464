"""Gather a batch's tensors over all processes, in rank order; the model inside a wrapper."""

from typing import Any

import torch
import torch.distributed.nn
from mmengine import dist
from mmengine.model import is_model_wrapper
from torch import Tensor

__all__ = ['gather', 'gather_with_gradient', 'require_equal_shapes', 'unwrap']


def gather(values: Tensor) -> Tensor:
    """Concatenate the values of all processes, without gradient.

    Args:
        values: (N, ...), the same shape in every process (the samplers give equal batches).

    Returns:
        (world size x N, ...), rank 0 first; the argument itself in a single process.

    Raises:
        ValueError: If the shapes differ; see :func:`require_equal_shapes`.
    """
    if dist.get_world_size() == 1:
        return values
    require_equal_shapes(values)
    return torch.cat(dist.all_gather(values.detach()))


def require_equal_shapes(values: Tensor) -> None:
    """Refuse values whose shapes differ between processes, which abort gloo and hang NCCL.

    On a GPU the comparison would wait for the device in every step, so there it is left to NCCL's own watchdog.

    Args:
        values: (N, ...).

    Raises:
        ValueError: In every process, if the shapes differ.
    """
    if values.device.type != 'cpu':
        return
    shapes = [tuple(shape.tolist()) for shape in dist.all_gather(torch.tensor(values.shape))]
    if len(set(shapes)) > 1:
        raise ValueError(
            f'The processes have batches of different shapes, {shapes} by rank, and cannot gather them. Let every '
            'process have the same number of items: drop_last=True, or a sampler that rounds up, such as '
            "MMEngine's DefaultSampler."
        )


def gather_with_gradient(values: Tensor) -> Tensor:
    """Concatenate the values of all processes; the gradient flows back to each of them.

    A process receives the *sum* of the gradients of all processes for its values. When every process computes the same
    loss of the whole batch, that is world size x the gradient, which DistributedDataParallel's mean undoes.

    Args:
        values: (N, ...), the same shape in every process.

    Returns:
        (world size x N, ...), rank 0 first; the argument itself in a single process.
    """
    if dist.get_world_size() == 1:
        return values
    require_equal_shapes(values)
    return torch.cat(torch.distributed.nn.all_gather(values))


def unwrap(model: Any) -> Any:
    """Give the model itself, out of DistributedDataParallel and its kin."""
    return model.module if is_model_wrapper(model) else model
