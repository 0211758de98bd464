"""Freezing parameters by name."""

from collections.abc import Sequence

from torch import nn

__all__ = ['begins_with', 'freeze_named']


def begins_with(name: str, prefixes: Sequence[str]) -> bool:
    """Whether a dotted name is one of the prefixes or lies below one."""
    return any(f'{name}.'.startswith(f'{prefix}.') for prefix in prefixes)


def freeze_named(module: nn.Module, prefixes: Sequence[str]) -> None:
    """Freeze the parameters whose names begin with one of the prefixes.

    Args:
        module: The module.
        prefixes: Whole parts of dotted names: ``'layer1'`` means ``layer1.0.conv1.weight``, not ``layer10``.

    Raises:
        ValueError: If a prefix fits no parameter.
    """
    names = dict(module.named_parameters())
    for prefix in prefixes:
        if not any(begins_with(name, [prefix]) for name in names):
            known = sorted({name.split('.')[0] for name in names})
            raise ValueError(
                f'{type(module).__name__}: frozen={prefix!r} fits no parameter; their names begin with {known}'
            )
    for name, parameter in names.items():
        if begins_with(name, prefixes):
            parameter.requires_grad_(False)
