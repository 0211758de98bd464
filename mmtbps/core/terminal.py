"""What of a run's log is shown on the terminal; the log file has everything."""

import logging
import sys
from typing import Any

from mmengine.logging import MMLogger
from tqdm import tqdm

__all__ = ['progress_bar', 'quieten', 'tell']

_MARK = 'told'


def tell(message: str) -> None:
    """Write a message to the log that is shown on the terminal, too.

    Args:
        message: The message.
    """
    with tqdm.external_write_mode(sys.stdout):  # a bar makes way
        MMLogger.get_current_instance().info(message, extra={_MARK: True})


def quieten(logger: logging.Logger) -> None:
    """Show on the terminal what :func:`tell` says, warnings and errors, as plain lines.

    Handlers of files are left alone, and so are those of other processes than the main one, which show errors only.

    Args:
        logger: The logger of a run.
    """
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler and not any(isinstance(f, _Told) for f in handler.filters):
            handler.addFilter(_Told())
            handler.setFormatter(_Plain())


class _Told(logging.Filter):
    """Lets through what is meant for the terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return 'be deprecated' not in record.getMessage()  # MMEngine's word on its own calls
        return getattr(record, _MARK, False)


class _Plain(logging.Formatter):
    """A message, behind its level if that is a warning or worse."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().strip('\n')
        return text if record.levelno < logging.WARNING else f'{record.levelname.lower()}: {text}'


def progress_bar(total: int | None = None, description: str | None = None, **settings: Any) -> tqdm:
    """A bar on the error stream that vanishes at its end; off a terminal there is none.

    Args:
        total: Number of steps. Defaults to None: it is not known.
        description: What is done. Defaults to None.
        **settings: Further arguments of tqdm.
    """
    shown = dict(total=total, desc=description, leave=False, disable=None, file=sys.stderr, dynamic_ncols=True)
    return tqdm(**{**shown, **settings})
