"""Modules of the user's own, in the folder where a command is typed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['own_modules']


@contextmanager
def own_modules() -> Iterator[None]:
    """Let imports look into the working folder too, last: for modules that a config or the user names.

    Not for the whole run: a folder there that is called as an optional package would be taken for it.
    """
    here = os.getcwd()
    sys.path.append(here)
    try:
        yield
    finally:
        # An import may have changed the list.
        if sys.path and sys.path[-1] == here:
            sys.path.pop()
