"""The model as its own teacher: a second pass over the same input."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ['SelfTeacher']


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == 'cuda' else torch.get_rng_state()


class SelfTeacher:
    """What the same weights say to the same input a second time, without gradient.

    The answers differ by what a stream draws at random, such as dropout. A stream that draws nothing would give the
    same answer again, which is then taken from the first pass.
    """

    def __init__(self) -> None:
        self._drew: dict[str, bool] = {}

    @contextmanager
    def watch(self, modality: str, device: torch.device) -> Iterator[None]:
        """Find out whether the first pass of a stream draws random numbers.

        Args:
            modality: ``'image'`` or ``'text'``.
            device: Where it runs.
        """
        before = _random_state(device)
        yield
        self._drew[modality] = not torch.equal(before, _random_state(device))

    def answer(self, modality: str, first: Tensor, encode: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """Encode a second time, if that can make a difference.

        Args:
            modality: ``'image'`` or ``'text'``; its stream has been watched.
            first: The embeddings of the first pass, (N, D).
            encode: From inputs to embeddings.
            inputs: Its arguments.

        Returns:
            Embeddings (N, D), without gradient.
        """
        if not self._drew[modality]:
            return first.detach()
        with torch.no_grad():
            return encode(*inputs)
