"""Word tokenizer that also knows the words of a table."""

from collections.abc import Iterable, Sequence

from mmtbps.registry import TOKENIZER

from .tokenizers import WordTokenizer
from .word_vectors import WordVectors

__all__ = ['WordTableTokenizer']


@TOKENIZER.register_module()
class WordTableTokenizer(WordTokenizer):
    """A :class:`WordTokenizer` whose vocabulary covers a word table besides the training captions.

    With frozen words a model can read a word that training never showed, if only the word has an id: build the table
    from more text than the training set. The table's words come after those of the captions.

    Args:
        table (str): File of the table, see :meth:`WordVectors.load`. It is read when a training set is built; later
            the checkpoint has the words.
        words (str, optional): File with the words of a table that is a plain array. Defaults to None.
        min_count (int): A word that occurs fewer times in the training captions becomes ``<unk>``, unless it is in the
            table. Defaults to 1.
        max_length (int): Captions are cut after this many words. Defaults to 100.
        vocabulary (Sequence[str], optional): The word of every id, for a tokenizer that shall not be fitted.
            Defaults to None.
    """

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
            captions (Iterable[str]): The captions of the training split.
        """
        of_captions = WordTokenizer(self.min_count)
        of_captions.fit(captions)
        known = dict.fromkeys(of_captions.vocabulary or ())
        # What this tokenizer never makes of a text, such as 't-shirt', needs no id.
        table = WordVectors.load(self.table_file, self.words_file).words
        known.update(dict.fromkeys(word for word in table if self.tokenize(word) == [word]))
        self.set_vocabulary(list(known))
