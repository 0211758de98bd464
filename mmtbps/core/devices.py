"""Where models run."""

import torch

__all__ = ['default_device', 'named_device']


def default_device() -> torch.device:
    """CUDA's current device if there is one, else the CPU."""
    return torch.device('cuda', torch.cuda.current_device()) if torch.cuda.is_available() else torch.device('cpu')


def named_device(device: str | torch.device | None) -> torch.device:
    """Read the name of a device.

    Args:
        device: The name, such as ``'cpu'`` or ``'cuda:1'``. None gives :func:`default_device`.

    Raises:
        ValueError: If there is no such device.
    """
    if device is None:
        return default_device()
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f'device {device} is none that torch knows. Take cpu, cuda, or cuda:1 for the second GPU.'
        ) from error
    count = torch.cuda.device_count()
    if found.type == 'cuda' and (found.index or 0) >= count:
        raise ValueError(f'device {device} is not there: torch finds {count} GPUs of CUDA here. Take another, or cpu.')
    return found
