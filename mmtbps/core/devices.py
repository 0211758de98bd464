"""Where models run."""

import torch

__all__ = ['default_device']


def default_device() -> torch.device:
    """CUDA's current device if there is one, else the CPU."""
    return torch.device('cuda', torch.cuda.current_device()) if torch.cuda.is_available() else torch.device('cpu')
