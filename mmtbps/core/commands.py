"""What all commands have in common: a mistake of the user prints one paragraph."""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ['EPILOG', 'hidden_error', 'paragraph_of', 'run_command', 'told_in_a_paragraph']

EPILOG = 'After an error, --traceback shows where in the code it came up.'

# Beginnings of what packages that we need say, and that no user can act on, as regular expressions.
_OF_OTHERS = (
    'pkg_resources is deprecated',
    'Fail to import ``MultiScaleDeformableAttention``',
    "'pin_memory' argument is set as true but no accelerator is found",
)

# What our checks and those of the libraries below raise on bad input. Others are faults of the code.
_TOLD = (ImportError, KeyError, OSError, RuntimeError, SyntaxError, TypeError, ValueError)


_INTERRUPTED = 130
"""Exit code after Ctrl-C, as of shells."""


def run_command(main: Callable[[], int | None], tool: str | None = None) -> None:
    """Run the ``main`` of a tool; its errors are told in a paragraph unless the command line has ``--traceback``.

    Args:
        main: Reads ``sys.argv``; returns the exit code, or None for 0.
        tool: Name of the tool for messages. Defaults to None: that of the running file.
    """
    traceback = '--traceback' in sys.argv
    _quiet_surroundings(tool or Path(sys.argv[0]).name)
    sys.argv[:] = [argument for argument in sys.argv if argument != '--traceback']
    try:
        with told_in_a_paragraph(tool or Path(sys.argv[0]).name, traceback):
            code = main()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            # What was interrupted half-built, such as torch's loader workers, complains when it is cleared away.
            sys.unraisablehook = lambda _: None
        raise
    if code:
        sys.exit(code)


def _quiet_surroundings(tool: str) -> None:
    """Show warnings as one line and once, without those of other packages about their own future.

    And let threads that wait for each other sleep, unless the user decides otherwise: those of OpenMP that spin make a
    step on busy cores several times slower. OpenMP reads this when torch is loaded, which tools do later.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    logging.raiseExceptions = False  # a log that cannot be written is no reason for pages of tracebacks
    if not sys.warnoptions:
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter('ignore', kind)
        for start in _OF_OTHERS:
            warnings.filterwarnings('ignore', start)
    told: set[str] = set()  # Python forgets what it has told whenever a package adds a filter

    def once(message: Warning | str, *_: object, **__: object) -> str:
        line = f'{tool}: warning: {" ".join(str(message).split())}\n'
        known = line in told
        told.add(line)
        return '' if known else line

    warnings.formatwarning = once


@contextmanager
def told_in_a_paragraph(tool: str, traceback: bool = False) -> Iterator[None]:
    """Print an error as one paragraph and exit with code 2; after Ctrl-C exit with code 130.

    Args:
        tool: Name of the command, printed in front.
        traceback: Whether to let errors through, so that Python prints where they come from. Defaults to False.

    Raises:
        SystemExit: After an error or Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        print(f'\n{tool}: interrupted. {interrupt}'.rstrip(), file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # whoever read, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except (*_TOLD, AssertionError) as error:
        if isinstance(error, AssertionError) and not error.args:
            raise  # MMEngine's of settings have a message
        _tell_launcher(error)
        if traceback:
            raise
        print(f'{tool}: {paragraph_of(error)}', file=sys.stderr)
        raise SystemExit(2) from None


def _tell_launcher(error: BaseException) -> None:
    """Write the error to the file in which torch's launcher of several processes looks for it."""
    if file := os.environ.get('TORCHELASTIC_ERROR_FILE'):
        Path(file).write_text(
            json.dumps(dict(message=paragraph_of(error), timestamp=int(time.time()))), encoding='utf-8'
        )


def hidden_error(error: BaseException) -> BaseException:
    """Give the error behind one: MMEngine calls whatever comes up while it formats a config a SyntaxError."""
    if isinstance(error, SyntaxError) and 'Failed to format the config' in str(error):
        return error.__context__ or error
    return error


def paragraph_of(error: BaseException) -> str:
    """Give the message of an error in one paragraph."""
    error = hidden_error(error)
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # its str() is a repr
    elif isinstance(error, SyntaxError) and error.filename:
        text = f'{error.filename}, line {error.lineno}: {error.msg}'
    else:
        text = str(error)
    return ' '.join(text.split()) or type(error).__name__
