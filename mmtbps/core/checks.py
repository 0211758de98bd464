"""Checks of arguments that many rooms share."""

__all__ = ['in_unit', 'positive']


def positive(value: int, name: str) -> int:
    """Check a count that must be at least 1.

    Args:
        value: The count.
        name: The argument's name, for the message.

    Returns:
        The count.

    Raises:
        ValueError: If it is below 1.
    """
    if value < 1:
        raise ValueError(f'{name} must be at least 1, got {value!r}.')
    return int(value)


def in_unit(value: float, name: str) -> float:
    """Check a share.

    Args:
        value: The share.
        name: The argument's name, for the message.

    Returns:
        The share.

    Raises:
        ValueError: If it is outside 0..1.
    """
    if not 0 <= value <= 1:
        raise ValueError(f'{name} must be in 0..1, got {value!r}.')
    return float(value)
