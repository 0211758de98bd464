"""What whoever asks should know of a sentence: words that the model does not know, and those that it does not read."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .encoders import Encoder
from .encoders.spelling import list_suggestions

__all__ = ['QueryNotes', 'join_notes', 'note_on']

_ENGLISH = frozenset({'the', 'and', 'with', 'wearing', 'wears', 'his', 'her', 'he', 'she', 'who', 'carrying', 'has'})
_FEW_WORDS = 4
"""Sentences of fewer words are not told to be of another language."""


@dataclass(frozen=True)
class QueryNotes:
    """Notes on a sentence.

    Args:
        unknown: The words that the model does not know, each with a known one that is spelt alike, or None.
        warnings: Sentences about what makes the answer worth little. Defaults to none.
    """

    unknown: Mapping[str, str | None]
    warnings: Sequence[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The notes, a line each."""
        if not self.unknown:
            return list(self.warnings)
        return [*self.warnings, f'words that the model does not know: {list_suggestions(self.unknown)}']


def note_on(encoder: Encoder, sentence: str) -> QueryNotes:
    """Compare a sentence with what a model can read.

    Args:
        encoder: The encoder of the sentence.
        sentence: The sentence.

    Returns:
        The unknown words, and warnings: most words are unknown, the sentence is of another language than the model's,
        or its end is cut off.
    """
    unknown, words = encoder.unknown_words(sentence), encoder.words_of(sentence)
    warnings = []
    if 2 * len(unknown) > len(words):
        warnings.append(
            f'WARNING: the model does not know {len(unknown)} of the {len(words)} words of {sentence!r}, so that the '
            f'answer means little. {encoder.training}'
        )
    elif encoder.tokenizer is not None and encoder.tokenizer.vocabulary is None and _foreign(encoder, sentence):
        warnings.append(f'WARNING: {sentence!r} does not look like English. {encoder.training}')
    if excess := 0 if encoder.tokenizer is None else encoder.tokenizer.excess(sentence):
        warnings.append(
            f'WARNING: the last {excess} of {len(words)} words are not read, since the sentence is too long.'
        )
    return QueryNotes(encoder.suggestions(unknown), warnings)


def join_notes(notes: Iterable[QueryNotes]) -> QueryNotes:
    """Put the notes on several sentences together, each word and warning once."""
    notes = list(notes)
    unknown = {word: meant for one in notes for word, meant in one.unknown.items()}
    return QueryNotes(unknown, list(dict.fromkeys(line for one in notes for line in one.warnings)))


def _foreign(encoder: Encoder, sentence: str) -> bool:
    """Whether a sentence is hardly English, for models that read any word in pieces.

    Of English captions hardly a word in ten is rare enough to be cut into pieces, and nearly all have one of the
    commonest words.
    """
    words = re.findall(r'[^\W\d_]+', sentence.lower())
    letters = ''.join(words)
    if 2 * sum('LATIN' in unicodedata.name(letter, '') for letter in letters) < len(letters):
        return True
    if len(words) < _FEW_WORDS or not _ENGLISH.isdisjoint(words):
        return False
    return 10 * sum(len(encoder.words_of(word)) > 1 for word in words) > len(words)
