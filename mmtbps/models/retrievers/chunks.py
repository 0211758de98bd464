"""A large batch through a stream in chunks, with the memory of one chunk."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ..structures import TokenFeatures

__all__ = ['in_chunks', 'refuse_batch_norm']


def refuse_batch_norm(stream: nn.Module, name: str) -> None:
    """Refuse a stream whose statistics over the batch would become those of a chunk, and be moved twice.

    Args:
        stream: The stream.
        name: Its name, for the message.

    Raises:
        ValueError: If it has a batch norm that moves.
    """
    frozen = [
        norm for part in stream.modules() if getattr(part, 'norm_eval', False) for norm in part.modules()
    ]  # fmt: skip
    for path, module in stream.named_modules():
        if isinstance(module, _BatchNorm) and not any(module is norm for norm in frozen):
            raise ValueError(
                f'chunk_size: {name}.{path} is a batch norm, whose statistics would be those of a chunk. Leave '
                'chunk_size out, or take a tower without batch norm.'
            )


def in_chunks(stream: Callable[..., Any], size: int | None, *inputs: Tensor, **request: bool) -> Tensor | TokenFeatures:
    """Run a stream over a batch, chunk by chunk if it is larger than a chunk (GradCache; Gao et al., 2021).

    Each chunk is computed again in the backward pass, with the same random numbers, so that the activations of one
    chunk alone are in memory. The embeddings, and so losses over all pairs of the batch, and the gradients are those of
    the whole batch, unlike with accumulated gradients.

    Args:
        stream: From inputs to features, one per item.
        size: Items in a chunk; None takes all at once.
        inputs: Batches of N items.
        request: Keywords of the stream.

    Returns:
        What the stream gives for the whole batch.
    """
    if size is None or len(inputs[0]) <= size or not torch.is_grad_enabled():
        return stream(*inputs, **request)
    chunks = zip(*(part.split(size) for part in inputs), strict=True)
    run = partial(stream, **request)
    return _join([checkpoint(run, *chunk, use_reentrant=False) for chunk in chunks])


def _join(parts: list[Any]) -> Tensor | TokenFeatures:
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    longest = max(part.mask.shape[1] for part in parts)
    return TokenFeatures(**{name: _join_field([part.get(name) for part in parts], name, longest)
                            for name in parts[0].keys()})  # fmt: skip  # noqa: SIM118


def _join_field(parts: list[Tensor], name: str, longest: int) -> Tensor:
    """Concatenate, positions padded to those of the longest chunk."""
    if name == 'pooled':
        return torch.cat(parts)
    rest = (0, 0) * (parts[0].dim() - 2)
    return torch.cat([F.pad(part, (*rest, 0, longest - part.shape[1])) for part in parts])
