"""Known words for those that a model does not know."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import chain

__all__ = ['closest_word', 'list_suggestions']

_ALIKE = 0.75
"""Share of common letters from which on a word is suggested for another: wmoan and woman have 0.8, hat and bag 0.33."""

_LONGEST_WORD, _SHORTEST_PART = 40, 3


def closest_word(word: str, known: Sequence[str]) -> str | None:
    """Find the known word that is meant by another.

    Args:
        word: The unknown word.
        known: The known ones, the most frequent first.

    Returns:
        The one of which two neighbouring letters were swapped, else the most alike, else two that were written as one
        (``redcoat``); None if there is none.
    """
    if len(word) > _LONGEST_WORD:
        return None
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    words = set(known)
    parts = ((word[:i], word[i:]) for i in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
    return next(
        chain(
            (one for one in known if one in swapped),
            get_close_matches(word, known, 1, _ALIKE),
            (f'{first} {second}' for first, second in parts if first in words and second in words),
        ),
        None,
    )


def list_suggestions(unknown: Mapping[str, str | None]) -> str:
    """List unknown words, each with the one that may be meant."""
    return ', '.join(word if meant is None else f'{word} (did you mean {meant}?)' for word, meant in unknown.items())
