"""How every command is read: a function's arguments are its options, its docstring is its help."""

import itertools
import sys
from collections.abc import Callable, Sequence
from inspect import BoundArguments
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from mmtbps.core.commands import EPILOG

__all__ = ['Command', 'app_of']


def app_of(function: Callable[..., Any] | None = None, name: str | None = None, **settings: Any) -> App:
    """An application of cyclopts with the habits of this project.

    Args:
        function: What it runs. Defaults to None: it has commands only.
        name: What its users type. Defaults to None: the name of the running file.
        settings: Further ones of :class:`cyclopts.App`.
    """
    app = App(
        name=name or Path(sys.argv[0]).name,
        help_format='plaintext',
        help_epilogue=EPILOG,
        version_flags=[],
        # No `--no-x` for a switch and no `--empty-x` for a list: each setting has one name.
        default_parameter=Parameter(negative=()),
        result_action='return_value',
        suppress_keyboard_interrupt=False,
        **settings,
    )
    if function is not None:
        app.default(function)
    return app


class Command:
    """The ``main`` of a tool.

    Args:
        what: An application, or a function whose arguments are the options.
        names: The command of the application. Defaults to none: the words begin with one.
    """

    def __init__(self, what: App | Callable[..., Any], *names: str) -> None:
        self.app = what if isinstance(what, App) else app_of(what)
        self.names = names

    def __call__(self, argv: Sequence[str] | None = None) -> int | None:
        """Run the tool.

        Args:
            argv: Words of the command line. Defaults to None: those of this process.

        Returns:
            The exit code, or None for 0.

        Raises:
            ValueError: If the words are not understood.
        """
        return self._read(self.app.__call__, argv)

    def parse(self, argv: Sequence[str]) -> BoundArguments:
        """Read the words of a command line and run nothing.

        Raises:
            ValueError: If they are not understood.
        """
        return self._read(self.app.parse_args, argv)[1]

    def _read(self, how: Callable[..., Any], argv: Sequence[str] | None) -> Any:
        words = [*self.names, *(sys.argv[1:] if argv is None else argv)]
        _require_sole_checkpoint(words)
        try:
            return how(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            raise ValueError(f'{error} --help tells what there is.') from None


def _require_sole_checkpoint(words: Sequence[str]) -> None:
    """Refuse two checkpoints side by side: what a shell makes of ``work_dirs/mine/best_*.pth`` if there are two.

    Raises:
        ValueError: Names both, since the second would be taken for something else.
    """
    for one, other in itertools.pairwise(words):
        files = Path(one), Path(other)
        if all(file.match('best_*.pth') and file.is_file() for file in files) and files[0].parent == files[1].parent:
            raise ValueError(f'best_*.pth matches two checkpoints, {one} and {other}. Name the one to take.')
