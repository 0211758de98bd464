"""Files, checkpoints, checks, distributed computing and precision; internal, and imports nothing of the package.

It takes no name from its modules, since the dependencies are checked before any of them is imported.
"""

__all__: list[str] = []
