"""Text-based person search for the OpenMMLab family."""

from .version import __version__

__all__ = ['__version__']
