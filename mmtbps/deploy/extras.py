"""Packages that only exported models need."""

import importlib
from typing import Any

__all__ = ['import_deploy']


def import_deploy(name: str) -> Any:
    """Import a module that the extra ``deploy`` installs.

    Raises:
        ImportError: If it is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"Exported models need {name}. Run: python -m pip install 'mmtbps[deploy]'") from error
