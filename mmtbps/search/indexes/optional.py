"""Import of packages that only some indexes need."""

from importlib import import_module
from typing import Any

__all__ = ['require']


def require(module: str, user: str) -> Any:
    """Import a package that the extra ``search`` installs.

    Args:
        module: The module's name.
        user: The class that needs it, for the error message.

    Returns:
        The module.

    Raises:
        ImportError: If it cannot be imported; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module}, which cannot be imported ({error}). Run: python -m pip install 'mmtbps[search]' "
            "(in a clone: '.[search]'), or use ExactIndex, which needs nothing else."
        ) from error
