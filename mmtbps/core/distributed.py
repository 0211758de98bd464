"""Gather a batch's tensors over all processes, in rank order."""

import torch
import torch.distributed.nn
from mmengine import dist
from torch import Tensor

__all__ = ['gather', 'gather_with_gradient']


def gather(values: Tensor) -> Tensor:
    """Concatenate the values of all processes, without gradient.

    Args:
        values: (N, ...), the same shape in every process (the samplers give equal batches).

    Returns:
        (world size x N, ...), rank 0 first; the argument itself in a single process.
    """
    return values if dist.get_world_size() == 1 else torch.cat(dist.all_gather(values.detach()))


def gather_with_gradient(values: Tensor) -> Tensor:
    """Concatenate the values of all processes; the gradient flows back to each of them.

    A process receives the *sum* of the gradients of all processes for its values. When every process computes the same
    loss of the whole batch, that is world size x the gradient, which DistributedDataParallel's mean undoes.

    Args:
        values: (N, ...), the same shape in every process.

    Returns:
        (world size x N, ...), rank 0 first; the argument itself in a single process.
    """
    return values if dist.get_world_size() == 1 else torch.cat(torch.distributed.nn.all_gather(values))
