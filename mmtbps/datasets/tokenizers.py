"""Tokenizers: they convert sentences to the integer ids that a text stream reads."""

import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import TOKENIZER

from .unicode_text import plain_characters

__all__ = ['Tokenizer', 'WordTokenizer']

_DELETE_PUNCTUATION = str.maketrans('', '', string.punctuation)


class Tokenizer(ABC):
    """Base class of tokenizers.

    A tokenizer with a fixed vocabulary, such as a byte-pair encoding, implements the abstract members and keeps the
    rest: fitting does nothing, and there is no vocabulary to store in checkpoints.

    Attributes:
        pad_id: Id that pads the shorter captions of a batch.
    """

    pad_id: int = 0

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Split a sentence into tokens."""

    def clean(self, text: str) -> str:
        """Clean a sentence as :meth:`tokenize` does first; most tokenizers do nothing."""
        return text

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Convert a sentence to ids; at least one, for any text."""

    def excess(self, text: str) -> int:
        """Number of tokens at the end of a sentence that :meth:`encode` cuts off; 0 by default, for no limit."""
        return 0

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, the rows of an embedding table."""

    @property
    def vocabulary(self) -> list[str] | None:
        """The word of every id, or None if the vocabulary does not depend on the training captions."""
        return None

    def fit(self, captions: Iterable[str]) -> None:  # noqa: B027 - most have nothing to fit
        """Build the vocabulary from the captions of a training set; does nothing if the vocabulary is fixed."""

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Set the vocabulary to that of a training set.

        Args:
            words: The word of every id.

        Raises:
            ValueError: If the vocabulary is fixed.
        """
        raise ValueError(
            f'{type(self).__name__} has a fixed vocabulary and cannot use {len(words)} other words; use the tokenizer '
            'of the training set.'
        )


@TOKENIZER.register_module()
class WordTokenizer(Tokenizer):
    """Tokenizer of words: lower case, without ASCII punctuation, split on white space.

    These are the ``processed_tokens`` that CUHK-PEDES (Li et al., CVPR 2017) publishes; "t-shirt" becomes "tshirt".
    Punctuation beyond ASCII is treated as its ASCII kin, see :func:`~mmtbps.datasets.unicode_text.plain_characters`.
    The ids are ``<pad>`` (0), ``<unk>`` (1), then the words of the training captions by decreasing count, ties in
    alphabetical order, so that ids do not depend on the order of the captions. No word can equal one of the two special
    entries, since angle brackets are punctuation.

    Args:
        min_count: Words that occur less often in the training captions become ``<unk>``. Defaults to 1: every word is
            kept, since a frozen word table covers rare words as well.
        max_length: Captions are cut after this many words. Defaults to 100, as in Han et al., BMVC 2021; hardly any
            caption is longer.
        vocabulary: The word of every id, for a tokenizer that is not to be fitted. Defaults to None: the words come
            from :meth:`fit` or :meth:`set_vocabulary`.

    Raises:
        ValueError: If ``min_count`` or ``max_length`` is below 1, or ``vocabulary`` is invalid.

    Examples:
        >>> tokenizer = WordTokenizer()
        >>> tokenizer.tokenize('A man, in a red T-shirt.')
        ['a', 'man', 'in', 'a', 'red', 'tshirt']
        >>> tokenizer.fit(['A man, in a red T-shirt.'])
        >>> tokenizer.encode('A woman in red')
        [2, 1, 3, 5]
    """

    pad_token = '<pad>'
    unk_token = '<unk>'
    unk_id = 1

    @checked(min_count=positive, max_length=positive)
    def __init__(self, min_count: int = 1, max_length: int = 100, vocabulary: Sequence[str] | None = None) -> None:
        self.min_count = min_count
        self.max_length = max_length
        self._ids: dict[str, int] | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    def tokenize(self, text: str) -> list[str]:
        """Split a sentence into words.

        Args:
            text: Any text, which may be empty.

        Returns:
            The words in order, not cut; none if the text consists of punctuation and white space.
        """
        return plain_characters(text).lower().translate(_DELETE_PUNCTUATION).split()

    def encode(self, text: str) -> list[int]:
        """Convert a sentence to word ids.

        Args:
            text: Any text, which may be empty.

        Returns:
            Between 1 and ``max_length`` ids; a text without words gives one ``<unk>``.

        Raises:
            RuntimeError: If there is no vocabulary yet.
        """
        ids = self._require_ids()
        return [ids.get(word, self.unk_id) for word in self.tokenize(text)[: self.max_length]] or [self.unk_id]

    def excess(self, text: str) -> int:
        """Number of words beyond ``max_length``, see :meth:`Tokenizer.excess`."""
        return max(0, len(self.tokenize(text)) - self.max_length)

    def fit(self, captions: Iterable[str]) -> None:
        """Build the vocabulary.

        Args:
            captions: The captions of the training split.

        Raises:
            ValueError: If the tokenizer has another vocabulary already.
        """
        counts = Counter(chain.from_iterable(map(self.tokenize, captions)))
        words = sorted((word for word in counts if counts[word] >= self.min_count), key=lambda w: (-counts[w], w))
        self.set_vocabulary([self.pad_token, self.unk_token, *words])

    @property
    def vocabulary(self) -> list[str] | None:
        """The word of every id (row i of an embedding table is word i), or None before fitting."""
        return None if self._ids is None else list(self._ids)

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Set the vocabulary to that of a training set, for instance from a checkpoint.

        Args:
            words: The word of every id, beginning with ``<pad>`` and ``<unk>``.

        Raises:
            TypeError: If it is no list of strings.
            ValueError: If the list is invalid, or differs from the present vocabulary: a model that was trained with
                one list cannot read the ids of another.
        """
        if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
            raise TypeError(f'A vocabulary must be a list of words, but got {words!r:.80}.')
        words = list(words)
        if words[:2] != [self.pad_token, self.unk_token] or len(set(words)) != len(words):
            raise ValueError(
                f'A vocabulary must begin with {self.pad_token!r}, {self.unk_token!r} and repeat no word, but got '
                f'{len(words)} words ({len(set(words))} different) beginning with {words[:2]}.'
            )
        if self._ids is not None and words != list(self._ids):
            raise ValueError(
                f'The tokenizer has a vocabulary of {len(self._ids)} words and cannot change to a different one of '
                f'{len(words)} words. Use the training set (and min_count) that the model was trained with, or '
                'build a new tokenizer.'
            )
        self._ids = {word: index for index, word in enumerate(words)}

    @property
    def vocab_size(self) -> int:
        """Number of ids, ``<pad>`` and ``<unk>`` included."""
        return len(self._require_ids())

    def _require_ids(self) -> dict[str, int]:
        if self._ids is None:
            raise RuntimeError(
                'WordTokenizer has no vocabulary yet. Build the training set first, which fits it, or set the '
                "training set's words with `set_vocabulary(train_set.metainfo['vocabulary'])`; a checkpoint "
                "keeps them in `checkpoint['meta']['dataset_meta']['vocabulary']`, a converted one if `mmtbps convert` "
                'was given --words.'
            )
        return self._ids

    def __repr__(self) -> str:
        words = 'no' if self._ids is None else len(self._ids)
        return f'{type(self).__name__}(min_count={self.min_count}, max_length={self.max_length}, {words} words)'
