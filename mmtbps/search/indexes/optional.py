"""Packages that only some indexes need."""

from importlib import import_module
from typing import Any

__all__ = ['require']


def require(module: str, user: str) -> Any:
    """Import a package of the extra ``search``.

    Args:
        module: The module's name.
        user: What needs it, for the message.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed; says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module}, which cannot be imported ({error}). Run: python -m pip install 'mmtbps[search]' "
            "(in a clone: '.[search]'), or use ExactIndex, which needs nothing else."
        ) from error
