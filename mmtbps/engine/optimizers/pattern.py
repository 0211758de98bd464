"""A rule for the parameters whose names a regular expression fits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmtbps.core.arguments import checked

__all__ = ['Pattern']


@checked()
def _read(name: str, lr_mult: float = 1.0, decay_mult: float = 1.0, lr: float | None = None) -> tuple:
    return name, float(lr_mult), float(decay_mult), lr


@dataclass(frozen=True)
class Pattern:
    """Rate and decay of parameters.

    Args:
        name: What is searched in their names.
        lr_mult: Factor of the learning rate.
        decay_mult: Factor of the weight decay.
        lr: A learning rate of its own instead of ``lr_mult``; None if there is none.
    """

    name: re.Pattern[str]
    lr_mult: float
    decay_mult: float
    lr: float | None

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> 'Pattern':
        """Read a rule of ``paramwise_cfg.patterns``.

        Raises:
            ValueError: If it has no name, another key, both rates, or its name is no regular expression.
        """
        try:
            name, lr_mult, decay_mult, lr = _read(**rule)
            if lr is not None and 'lr_mult' in rule:
                raise ValueError('give lr or lr_mult, not both')
            return cls(re.compile(name), lr_mult, decay_mult, lr)
        except (TypeError, ValueError, re.error) as error:
            raise ValueError(
                f'paramwise_cfg.patterns: {dict(rule)} is no rule: {error}. Write dict(name=REGULAR_EXPRESSION, '
                'lr_mult=..., decay_mult=...).'
            ) from error

    def fits(self, name: str) -> bool:
        """Whether the rule is for a parameter of this name."""
        return self.name.search(name) is not None
