"""The version of mmtbps."""

__version__ = '0.1.0'
