"""Names of figures that tracking services accept: several refuse or rewrite the ``@`` and ``+`` of this field."""

import re
from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
import torch

__all__ = ['accepted_name', 'accepted_scalars']

_REFUSED = {
    'AimVisBackend': r'[^\w/.-]',
    'ClearMLVisBackend': r'[^\w/. -]',
    'DVCLiveVisBackend': r'[^\w/.-]',
    'MLflowVisBackend': r'[^\w/. -]',
    'NeptuneVisBackend': r'[^\w/.-]',
    'TensorboardVisBackend': r'[^\w/.-]',
    'WandbVisBackend': r'[^\w/]',
}
"""Characters that names may not have, by MMEngine's backends; ASCII. W&B can sort and filter by no others."""

_WORDS = {'@': '_at_', '+': '_with_'}


def accepted_name(backend: str, name: str) -> str:
    """Write the name of a figure as a backend accepts it.

    Args:
        backend: Class of the backend, such as ``'MLflowVisBackend'``.
        name: The name, such as ``'t2i+jaccard/R@1'``.

    Returns:
        ``'t2i_with_jaccard/R_at_1'`` where ``@`` and ``+`` are refused; other characters become underscores. Files and
        backends that are not MMEngine's keep the name.
    """
    refused = _REFUSED.get(backend)
    if refused is None or not re.search(refused, name, re.ASCII):
        return name
    for character, word in _WORDS.items():
        name = name.replace(character, word)
    return re.sub(refused, '_', name, flags=re.ASCII)


def accepted_scalars(backend: str, scalars: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row of figures as a backend accepts it; text beside them is for files alone.

    Args:
        backend: Class of the backend.
        scalars: Figures and texts by name.

    Returns:
        Figures by accepted name; two that would have one name keep apart by a number.
    """
    if backend not in _REFUSED:
        return dict(scalars)
    row: dict[str, Any] = {}
    for name, value in scalars.items():
        if _is_number(value):
            accepted, number = accepted_name(backend, name), 2
            unique = accepted
            while unique in row:
                unique, number = f'{accepted}_{number}', number + 1
            row[unique] = value
    return row


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor | np.ndarray):
        return len(value.reshape(-1)) == 1
    return isinstance(value, Number)
