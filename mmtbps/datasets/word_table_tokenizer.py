"""Word tokenizer whose vocabulary also covers a word table."""

from collections.abc import Iterable, Sequence

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import TOKENIZER

from .tokenizers import WordTokenizer
from .word_vectors import WordVectors

__all__ = ['WordTableTokenizer']


@TOKENIZER.register_module()
class WordTableTokenizer(WordTokenizer):
    """A :class:`WordTokenizer` whose vocabulary covers a word table besides the training captions.

    With frozen word vectors a model can read words that do not occur in training, provided that they have an id: build
    the table from more text than the training set. The words of the table come after those of the captions.

    Args:
        table: File of the table, see :meth:`WordVectors.load`. It is read when a training set is built; afterwards the
            words come from the checkpoint.
        words: File with the words of a table that is a plain array. Defaults to None: the table contains its words.
        min_count: Words that occur less often in the training captions become ``<unk>``, unless they are in the table.
            Defaults to 1: every word is kept.
        max_length: Captions are cut after this many words. Defaults to 100, as :class:`WordTokenizer`.
        vocabulary: The word of every id, for a tokenizer that is not to be fitted. Defaults to None: see
            :class:`WordTokenizer`.
    """

    @checked(min_count=positive, max_length=positive)
    def __init__(
        self,
        table: str,
        words: str | None = None,
        min_count: int = 1,
        max_length: int = 100,
        vocabulary: Sequence[str] | None = None,
    ) -> None:
        super().__init__(min_count, max_length, vocabulary)
        self.table_file = table
        self.words_file = words

    def fit(self, captions: Iterable[str]) -> None:
        """Build the vocabulary from captions and table.

        Args:
            captions: The captions of the training split.
        """
        of_captions = WordTokenizer(self.min_count)
        of_captions.fit(captions)
        known = dict.fromkeys(of_captions.vocabulary or ())
        # Words that this tokenizer never produces, such as 't-shirt', need no id.
        table = WordVectors.load(self.table_file, self.words_file).words
        known.update(dict.fromkeys(word for word in table if self.tokenize(word) == [word]))
        self.set_vocabulary(list(known))
