"""Processes that do not outlive the one that started them."""

import ctypes
import os
import signal
import sys

__all__ = ['die_with_parent']

_PR_SET_PDEATHSIG = 1


def die_with_parent(*_: object) -> None:
    """Ask the kernel to end this process with its parent; a ``worker_init_fn`` of data loaders.

    The workers of a killed training would live on: torch's watchdog ends their loop, then the thread that feeds their
    queue waits for a pipe that nobody reads. Linux only; elsewhere nothing happens.
    """
    if not sys.platform.startswith('linux'):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died meanwhile, and the kernel tells of later deaths only
        os.kill(os.getpid(), signal.SIGKILL)
