"""Text of users in drawings: as it is, whatever it holds."""

from collections.abc import Callable
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

__all__ = ['draw_text']

_DEFAULT, _REPLACEMENT = 'DejaVu Sans', '\N{WHITE SQUARE}'


def draw_text(draw: Callable[..., Any], text: object, **style: Any) -> None:
    """Draw a text of a user: no formulas between dollar signs, and characters that the font lacks from another one.

    Characters that no font of the machine has, and control characters, become a square or a blank.

    Args:
        draw: A method of matplotlib that takes a text, such as ``figure.suptitle`` or ``axes.set_xlabel``.
        text: The text.
        **style: Its style.
    """
    families = [_DEFAULT]
    characters = []
    for character in str(text):
        family = _family(character)
        if family is not None and family not in families:
            families.append(family)
        if character == '\n' or family is not None:
            characters.append(character)
        else:
            characters.append(_REPLACEMENT if character.isprintable() else ' ')
    draw(''.join(characters), parse_math=False, fontfamily=families, **style)


@cache
def _family(character: str) -> str | None:
    """The first font of the machine that has a character, the default one if it does; None if there is none."""
    if not character.isprintable():
        return None
    for family, characters in _fonts():
        if ord(character) in characters:
            return family
    return None


@cache
def _fonts() -> list[tuple[str, frozenset[int]]]:
    """The fonts of the machine and the characters that they have, the default one first."""
    fonts: list[tuple[str, frozenset[int]]] = []
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name != _DEFAULT, entry.name)):
        regular = entry.style == 'normal' and entry.weight in (400, 'normal', 'regular', 'book')
        # Colours are not drawn.
        if regular and 'Emoji' not in entry.name and entry.name not in {name for name, _ in fonts}:
            fonts.append((entry.name, frozenset(FT2Font(entry.fname).get_charmap())))
    return fonts
