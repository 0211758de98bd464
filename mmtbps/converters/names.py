"""Renaming of weights by the beginnings of their names, every name accounted for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

__all__ = [
    'BLOCKS',
    'CLIP_RESNET',
    'CLIP_TEXT',
    'CLIP_VIT',
    'NORM',
    'WEIGHTS',
    'Names',
    'listed',
    'rename',
    'rename_all',
]

WEIGHTS = r'(weight|bias)'
NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
BLOCKS = (
    rf'resblocks\.\d+\.(attn\.(in_proj_{WEIGHTS}|out_proj\.{WEIGHTS})|ln_[12]\.{WEIGHTS}|mlp\.c_(fc|proj)\.{WEIGHTS})'
)
CLIP_VIT = rf'class_embedding|positional_embedding|proj|conv1\.weight|ln_(pre|post)\.{WEIGHTS}|transformer\.{BLOCKS}'
CLIP_TEXT = rf'positional_embedding|text_projection|token_embedding\.weight|ln_final\.{WEIGHTS}|transformer\.{BLOCKS}'
CLIP_RESNET = (
    rf'(layer\d\.\d+\.)?(conv[123]\.weight|bn[123]\.{NORM})|layer\d\.\d+\.downsample\.(0\.weight|1\.{NORM})'
    rf'|attnpool\.(positional_embedding|[qkvc]_proj\.{WEIGHTS})'
)
"""What follows the beginnings of names of CLIP's towers, the same in every code base."""


@dataclass(frozen=True)
class Names:
    """Names of a layout and ours.

    Args:
        pairs: Beginnings of names there and here, and what may follow, a regular expression.
        training_only: Names of that layout that retrieval does not need, regular expressions. Defaults to none.
    """

    pairs: tuple[tuple[str, str, str], ...]
    training_only: tuple[str, ...] = field(default=())

    def to_ours(self, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Rename the weights of a checkpoint.

        Returns:
            The weights by our names, and the names that retrieval does not need.

        Raises:
            ValueError: If a name is neither; it lists all such names.
        """
        left_out = [name for name in weights if any(re.fullmatch(pattern, name) for pattern in self.training_only)]
        wanted = {name: value for name, value in weights.items() if name not in set(left_out)}
        return rename_all(wanted, self.pairs), left_out

    def to_theirs(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Undo :meth:`to_ours` for what retrieval needs.

        Raises:
            ValueError: If a name has no counterpart; it lists all such names.
        """
        return rename_all(weights, [(here, there, rest) for there, here, rest in self.pairs])


def rename(name: str, pairs: Iterable[tuple[str, str, str]]) -> str | None:
    """Exchange the beginning of a name; None if no beginning with what may follow fits."""
    for old, new, rest in pairs:
        if name.startswith(old) and re.fullmatch(rest, name.removeprefix(old)):
            return new + name.removeprefix(old)
    return None


def listed(names: Iterable[str], shown: int = 12) -> str:
    """The first names in order, and how many more there are."""
    names = sorted(names)
    return ', '.join(names[:shown]) + (f' and {len(names) - shown} more' if len(names) > shown else '')


def rename_all(weights: Mapping[str, Tensor], pairs: Iterable[tuple[str, str, str]]) -> dict[str, Tensor]:
    """Exchange the beginnings of all names.

    Raises:
        ValueError: If a name fits none; it lists such names.
    """
    pairs = list(pairs)
    renamed = {name: rename(name, pairs) for name in weights}
    unmatched = [name for name, new in renamed.items() if new is None]
    if unmatched:
        raise ValueError(
            f'{len(unmatched)} of {len(weights)} weights have no counterpart: {listed(unmatched)}. Is this a '
            'checkpoint of the layout that the converter expects?'
        )
    return {new: weights[name] for name, new in renamed.items() if new is not None}
