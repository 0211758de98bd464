"""Text that anybody may have written, for output that is UTF-8."""

import os
import re

__all__ = ['no_formula', 'one_line', 'printable', 'require_utf8']

_SURROGATES = re.compile('[\ud800-\udfff]')
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029]')
_BYTE = range(0xDC80, 0xDD00)
_FORMULA = re.compile(r'\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]')
"""How a formula begins, in Japanese spreadsheets with the wide signs too."""


def printable(text: str) -> str:
    r"""Write text so that it can be printed and stored as UTF-8.

    Python reads the name of a file that is no UTF-8, such as one from an archive of another country, with surrogates in
    the places of such bytes; no output takes them.

    Args:
        text: Any text.

    Returns:
        The same, with ``\xd0`` for the byte d0 and ``\ud83d`` for half a character.

    Example:
        >>> printable('crops/\udcd0.png')
        'crops/\\xd0.png'
    """
    return _SURROGATES.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Write text, such as the name of a file, so that it is printed in a line and commands nothing to the terminal.

    Args:
        text: Any text.

    Returns:
        What :func:`printable` gives, with ``\x0a`` for a line break, and other control characters likewise.

    Example:
        >>> one_line('a\nb\x1b[31m')
        'a\\x0ab\\x1b[31m'
    """
    return _CONTROL.sub(lambda match: f'\\x{ord(match[0]):02x}', printable(text))


def no_formula(text: str) -> str:
    """Write text for a cell that no spreadsheet takes for a formula, which could fetch or send something.

    Args:
        text: Any text.

    Returns:
        The same; with an apostrophe in front, which spreadsheets know as the sign of text, if it begins as a formula
        does (``=``, ``+``, ``-``, ``@``, also after blanks).

    Example:
        >>> no_formula('=1+1'), no_formula('a man')
        ("'=1+1", 'a man')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def require_utf8(path: str | os.PathLike) -> None:
    """Refuse a path for features that is no UTF-8, which safetensors cannot open.

    Raises:
        ValueError: If it is none.
    """
    text = os.fspath(path)
    if printable(text) != text:
        raise ValueError(
            f'The path {printable(text)} is no UTF-8; features can only be kept in a folder whose name is.'
        )


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f'\\x{number - 0xDC00:02x}' if number in _BYTE else f'\\u{number:04x}'
