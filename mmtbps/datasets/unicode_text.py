"""Characters beyond ASCII as their ASCII kin, so that a sentence means the same however it is typed."""

import unicodedata

__all__ = ['plain_characters', 'without_invisible']

# What may stand inside a word, where blanks would cut it.
_KIN = {
    **dict.fromkeys(
        '\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}\N{PRIME}'
        '\N{MODIFIER LETTER APOSTROPHE}\N{FULLWIDTH APOSTROPHE}\N{ACUTE ACCENT}',
        "'",
    ),
    **dict.fromkeys(
        '\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}\N{DOUBLE PRIME}'
        '\N{FULLWIDTH QUOTATION MARK}',
        '"',
    ),
    **dict.fromkeys('\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{MINUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}', '-'),
}
_BREAKS = frozenset('\N{ZERO WIDTH SPACE}\N{WORD JOINER}')


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
    category = unicodedata.category(character)
    if category == 'Cf' and character not in _BREAKS:
        return ''
    return ' ' if category[0] in 'PSZC' else character


def without_invisible(text: str) -> str:
    """Remove characters that have no width, such as a byte order mark or a zero-width space.

    Args:
        text: Any text; ASCII text stays as it is.
    """
    if text.isascii():
        return text
    return ''.join(character for character in text if unicodedata.category(character) != 'Cf')
