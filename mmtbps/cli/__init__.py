"""The command ``mmtbps``; torch is imported only to run a command, so that ``--help`` answers at once."""

import sys

from mmtbps.core.commands import run_command

from .app import Command
from .commands import mmtbps_app

__all__ = ['Command', 'main', 'mmtbps_app', 'tool']


def tool(*names: str) -> Command:
    """The ``main`` of a file of ``tools/`` that is a command of ``mmtbps``, such as ``tool('report', 'compare')``."""
    return Command(mmtbps_app(), *names)


def main() -> None:
    """Run the command that the command line names."""
    app = mmtbps_app()
    named = [word for word in sys.argv[1:2] if word in app and not word.startswith('-')]
    run_command(Command(app), ' '.join(['mmtbps', *named]))
