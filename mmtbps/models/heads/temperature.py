"""Temperature of a softmax, fixed or learnt."""

import math
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.registry import MODELS

__all__ = ['Temperature', 'make_temperature']


@MODELS.register_module()
class Temperature(BaseModule):
    """A temperature that is a constant, or a parameter in CLIP's parametrisation (Radford et al., ICML 2021).

    The parameter is ``logit_scale``, the natural logarithm of what similarities are multiplied by; the temperature is
    its inverse. A cap on the scale keeps the loss from diverging. Above the cap the gradient is that of the scale
    without it: OpenAI's weights start there by a rounding error, and would never move again under a plain clamp.
    It never decays, see :class:`~mmtbps.engine.GroupedOptimWrapperConstructor`.

    Args:
        initial: Value at the start. 0.07 is that of CLIP and of MoCo.
        learnable: Whether it is trained. A constant is no part of checkpoints.
        max_scale: Cap on a learnt scale; CLIP's 100 is a temperature of 0.01.
        init_cfg: MMEngine's initialisation config; ``dict(type='CLIPPretrained', checkpoint=..., model=...)`` takes the
            scale that CLIP was trained to.

    Raises:
        ValueError: If the initial value is not positive, or a learnt one starts beyond the cap.

    Example:
        >>> float(Temperature(0.01, learnable=True)())
        0.009999999776482582
    """

    @checked(initial=above_zero, max_scale=above_zero)
    def __init__(
        self,
        initial: float = 0.07,
        learnable: bool = False,
        max_scale: float = 100.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if learnable and initial * max_scale < 1:
            raise ValueError(
                f'a learnable temperature starts at 1 / max_scale or above: got {initial} for max_scale={max_scale}'
            )
        self.initial, self.learnable, self.max_scale = initial, learnable, max_scale
        if learnable:
            self.logit_scale = nn.Parameter(torch.tensor(-math.log(initial)))

    def forward(self) -> float | Tensor:
        """Return the temperature: a number, or a scalar tensor when it is learnt."""
        if not self.learnable:
            return self.initial
        scale = self.logit_scale.exp()
        return 1 / (scale + (scale.clamp(max=self.max_scale) - scale).detach())

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f'initial={self.initial}, learnable={self.learnable}'


def make_temperature(temperature: float | str, learnable: bool, max_scale: float) -> Any:
    """Make the temperature of a head, unless it names one of its retriever's that several heads share.

    Args:
        temperature: Value at the start, or a name in the retriever's ``temperatures``.
        learnable: Whether it is trained.
        max_scale: Cap on a learnt scale.

    Returns:
        The temperature, or the name, which :meth:`BaseHead.share` replaces.
    """
    return temperature if isinstance(temperature, str) else Temperature(temperature, learnable, max_scale)
