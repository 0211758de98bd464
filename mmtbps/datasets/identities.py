"""Identities as annotations write them: the same person has to be written in the same way."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from .annotation import ImageEntry

__all__ = ['similar_identities', 'two_kinds']

_NUMBER = re.compile(r'([+-]?)0*(\d+)(\.0*)?', re.ASCII)


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
    plain = unicodedata.normalize('NFKC', text).casefold().strip()
    number = _NUMBER.fullmatch(plain)
    return plain if number is None else f'{number[1].replace("+", "")}{number[2]}'
