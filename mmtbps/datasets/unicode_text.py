"""Characters beyond ASCII as their ASCII kin, so that a sentence means the same however it is typed."""

import re
import unicodedata

__all__ = ['plain_characters', 'without_invisible']

# What may stand inside a word, where blanks would cut it.
_KIN = {
    **dict.fromkeys(
        '\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}\N{PRIME}'
        '\N{MODIFIER LETTER APOSTROPHE}\N{FULLWIDTH APOSTROPHE}\N{ACUTE ACCENT}\N{MODIFIER LETTER PRIME}'
        '\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}\N{MODIFIER LETTER TURNED COMMA}\N{LATIN SMALL LETTER SALTILLO}',
        "'",
    ),
    **dict.fromkeys(
        '\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}\N{DOUBLE PRIME}'
        '\N{FULLWIDTH QUOTATION MARK}',
        '"',
    ),
    **dict.fromkeys(
        '\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{MINUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{SMALL HYPHEN-MINUS}', '-'
    ),
}
_BREAK = '\N{ZERO WIDTH SPACE}'
_SELECTORS = '\ufe0e\ufe0f'
# What Unicode calls default ignorable beside format characters, and marks that enclose: selectors of the look of an
# emoji, fillers, the frame of a key.
_UNSEEN = re.compile(
    '[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u20dd-\u20e4\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8'
    '\U000e0000-\U000e0fff]'
)


def plain_characters(text: str) -> str:
    r"""Write a text with what ASCII has for its punctuation, symbols, blanks and full-width letters.

    ASCII text stays as it is, and so do letters with accents and other scripts. Curly quotes and hyphens become
    plain ones; commas, stops and symbols of other scripts, dashes, dots and emojis separate words as blanks do;
    characters without a width vanish.

    Args:
        text: Any text.

    Returns:
        The text; ASCII but for letters, marks and digits.

    Example:
        >>> plain_characters('a \u201cred\u201d coat\uff0c black T\u2011shirt\u2026')
        'a "red" coat  black T-shirt '
    """
    if text.isascii():
        return text
    # Twice: a fraction such as one quarter is made of digits and a slash beyond ASCII.
    return ''.join(map(_plain, unicodedata.normalize('NFKC', ''.join(map(_plain, text)))))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _KIN:
        return _KIN[character]
    if _unseen(character):
        return ''
    return ' ' if unicodedata.category(character)[0] in 'PSZC' else character


def _unseen(character: str) -> bool:
    """Whether a character has no width and separates nothing."""
    return character != _BREAK and (unicodedata.category(character) == 'Cf' or bool(_UNSEEN.match(character)))


def without_invisible(text: str) -> str:
    """Remove format characters, such as a byte order mark, and selectors of emojis; a zero-width space becomes a blank.

    All else is left to a tokenizer that was trained with it.

    Args:
        text: Any text; ASCII text stays as it is.
    """
    if text.isascii():
        return text
    plain = text.replace(_BREAK, ' ')
    return ''.join(c for c in plain if c not in _SELECTORS and unicodedata.category(c) != 'Cf')
