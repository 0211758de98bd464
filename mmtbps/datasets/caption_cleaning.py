"""Cleaning of captions as methods prescribe it, for training and queries alike."""

import re
from collections.abc import Callable

__all__ = ['CAPTION_CLEANINGS', 'clean_as_tbps_clip']

_TO_BLANKS = re.compile(r'[.!"()*#:;~]')
_BLANKS = re.compile(r'\s{2,}')
_MOST_WORDS = 77


def clean_as_tbps_clip(caption: str) -> str:
    """Clean a caption as TBPS-CLIP does (Cao et al., AAAI 2024).

    Lower case; each of ``. ! " ( ) * # : ; ~`` becomes a blank, while commas, hyphens, apostrophes and slashes stay;
    several blanks become one, those at the ends go, and so does what follows the 77th word.

    Args:
        caption: Any text.

    Returns:
        The cleaned caption, which may be empty.

    Example:
        >>> clean_as_tbps_clip('A man (young); red T-shirt, jeans.')
        'a man young red t-shirt, jeans'
    """
    text = _BLANKS.sub(' ', _TO_BLANKS.sub(' ', caption.lower())).rstrip('\n').strip(' ')
    return ' '.join(text.split(' ')[:_MOST_WORDS])


CAPTION_CLEANINGS: dict[str, Callable[[str], str]] = {'tbps-clip': clean_as_tbps_clip}
"""By the names that :class:`~mmtbps.datasets.CLIPTokenizer` takes."""
