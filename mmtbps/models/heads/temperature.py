"""Temperature of a softmax, fixed or learnt."""

import math

import torch
from torch import Tensor, nn

__all__ = ['Temperature']


class Temperature(nn.Module):
    """A temperature that is a constant or a parameter confined to a range.

    The learnt temperature is ``low + (high - low) * sigmoid(x)``: it cannot leave the range, and unlike a hard clamp
    the gradient never vanishes altogether at its ends.

    Args:
        initial: Value at the start.
        learnable: Whether ``x`` is trained. A constant is no part of checkpoints.
        bounds: Low and high end of a learnt temperature. CLIP's lower end, 0.01, keeps the loss from diverging.

    Raises:
        ValueError: If the initial value is not positive, or is learnt and not inside the bounds.
    """

    def __init__(self, initial: float, learnable: bool = False, bounds: tuple[float, float] = (0.01, 0.5)) -> None:
        super().__init__()
        if initial <= 0:
            raise ValueError(f'temperature must be positive, got {initial}')
        self.initial, self.learnable, self.bounds = initial, learnable, bounds
        if learnable:
            low, high = bounds
            if not 0 < low < initial < high:
                raise ValueError(
                    f'a learnable temperature must start inside temperature_bounds: got {initial} for {tuple(bounds)}'
                )
            self.raw = nn.Parameter(torch.tensor(math.log((initial - low) / (high - initial))))

    def forward(self) -> float | Tensor:
        """Return the temperature: a number, or a scalar tensor when it is learnt."""
        if not self.learnable:
            return self.initial
        low, high = self.bounds
        return low + (high - low) * self.raw.sigmoid()

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f'initial={self.initial}, learnable={self.learnable}'
