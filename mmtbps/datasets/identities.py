"""Identities as annotations write them: the same person has to be written in the same way."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from fractions import Fraction

from .annotation import ImageEntry
from .unicode_text import plain_characters

__all__ = ['similar_identities', 'two_kinds']

_NUMBER = re.compile(r'[+-]?(\d{1,99}\.?\d{0,99}|\.\d{1,99})(e[+-]?\d{1,2})?', re.ASCII)
_BETWEEN_DIGITS = re.compile(r'(?<=\d)[,_ ](?=\d{3}(?!\d))')


def two_kinds(entries: Iterable[ImageEntry]) -> Iterator[str]:
    """Find identities that are a number in one entry and text in another, which would be two persons.

    Args:
        entries: Entries of all splits.

    Yields:
        A message for each such identity that names the first entry of either kind.
    """
    first: dict[str, dict[type, ImageEntry]] = {}
    for entry in entries:
        kinds = first.setdefault(str(entry.person_id), {})
        if kinds and type(entry.person_id) not in kinds:
            other = next(iter(kinds.values()))
            yield (
                f'{other.where} and {entry.where}: the identity {other.person_id!r:.80} of the one and '
                f'{entry.person_id!r:.80} of the other differ, since one is a number and one a text. Write all '
                'identities as numbers, or all as texts'
            )
        kinds.setdefault(type(entry.person_id), entry)


def similar_identities(entries: Iterable[ImageEntry]) -> list[list[str]]:
    """Find identities that are different texts but may be meant as one, such as '3', '03' and '3.0', or 'a' and 'A'.

    Args:
        entries: Entries of all splits.

    Returns:
        The groups of identities, as they are written.
    """
    groups: dict[str, dict[str, None]] = {}
    for entry in entries:
        text = str(entry.person_id)
        groups.setdefault(_meant(text), {})[text] = None
    return [list(group) for group in groups.values() if len(group) > 1]


def _meant(text: str) -> str:
    """What identities that may be one have in common: signs and letters of one kind, the value of numbers."""
    digits = ''.join(str(unicodedata.decimal(sign, sign)) for sign in unicodedata.normalize('NFKC', text))
    plain = ' '.join(plain_characters(digits).casefold().split())
    number = _BETWEEN_DIGITS.sub('', plain)
    return str(Fraction(number)) if _NUMBER.fullmatch(number) else plain
