"""Whether converted weights are all that the network of their config needs, before anything is written."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmtbps.models.clip.positions import GRID
from mmtbps.registry import MODELS

from .names import listed

__all__ = ['require_fit']

# Norms work without the first, which some files lack; the grid is ours, and follows from the config.
_OPTIONAL = ('num_batches_tracked', GRID)


def require_fit(
    weights: Mapping[str, Tensor],
    model: Mapping[str, Any],
    theirs: Callable[[str], str],
    device: str = 'meta',
) -> None:
    """Refuse weights that do not fit the network that their sizes tell.

    Args:
        weights: Weights by our names; those outside the network's parts are not looked at.
        model: Config of the network.
        theirs: Gives the name that a weight has in the checkpoint, for messages.
        device: Where to build the network. Defaults to ``'meta'``: its weights take no memory.

    Raises:
        ValueError: If weights are missing, too many, of another shape or kind, or not finite; it lists them.
    """
    expected = _build(model, device).state_dict()
    parts = {name.split('.')[0] for name in expected}
    faults = []
    for name in [*expected, *(name for name in weights if name not in expected and name.split('.')[0] in parts)]:
        fault = _fault(weights.get(name), expected.get(name), name)
        if fault:
            faults.append(f'{theirs(name)} {fault}')
    if faults:
        raise ValueError(
            f'These weights do not make the whole network that their sizes tell: {listed(faults)}. Fetch or save the '
            'file again.'
        )


def _build(model: Mapping[str, Any], device: str) -> nn.Module:
    with torch.device(device):
        return MODELS.build(ConfigDict(model))


def _fault(found: Tensor | None, wanted: Tensor | None, name: str) -> str | None:
    """What is wrong with a weight; None if nothing is."""
    if found is None:
        return None if name.endswith(_OPTIONAL) else 'is missing'
    if wanted is None:
        return 'has no place'
    if found.shape != wanted.shape:
        return f'has the shape {tuple(found.shape)} instead of {tuple(wanted.shape)}'
    if found.is_floating_point() != wanted.is_floating_point() or found.is_complex():
        return f'holds {str(found.dtype).removeprefix("torch.")} numbers'
    return None if bool(torch.isfinite(found).all()) else 'has values that are not finite'
