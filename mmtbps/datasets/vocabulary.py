"""Words of data sets, and those that a tokenizer does not know."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .annotation import SPLITS
from .base import TBPSDataset
from .tokenizers import WordTokenizer

__all__ = ['UnknownWords', 'collect_words', 'count_unknown_words']


def collect_words(datasets: Iterable[TBPSDataset], splits: Sequence[str] = SPLITS) -> list[str]:
    """Collect the words of the captions of several data sets without reading images.

    Args:
        datasets: The data sets; ``lazy_init=True`` is enough.
        splits: Splits to read. Defaults to all, since a table of encoded words may cover words that a model is not
            trained on.

    Returns:
        Every word once, most frequent first, in the order of :class:`WordTokenizer`.

    Raises:
        ValueError: If there are no words.
    """
    tokenizer = WordTokenizer()
    datasets = list(datasets)
    tokenizer.fit(
        caption
        for dataset in datasets
        for entry in dataset.read_entries()
        if entry.split in splits
        for caption in entry.captions
    )
    words = (tokenizer.vocabulary or [])[2:]
    if not words:
        raise ValueError(f'There is no word in the splits {list(splits)} of {[data.ann_file for data in datasets]}.')
    return words


class UnknownWords(NamedTuple):
    """Counts of the words of captions that a tokenizer does not know.

    Attributes:
        total: Number of words.
        unknown: Number of unknown words.
        distinct: Number of different unknown words.
        commonest: The ten most frequent of them.
    """

    total: int
    unknown: int
    distinct: int
    commonest: list[str]

    def __str__(self) -> str:
        if not self.unknown:
            return f'all {self.total:,} words of the captions are known'
        share = 100 * self.unknown / self.total
        return (
            f'{self.unknown:,} of {self.total:,} words of the captions ({share:.2f} %) are unknown to the model, '
            f'{self.distinct:,} different ones: {", ".join(self.commonest)}{", ..." if self.distinct > 10 else ""}'
        )


def count_unknown_words(dataset: TBPSDataset) -> UnknownWords | None:
    """Count the words of a data set's captions that its tokenizer maps to ``<unk>``, without reading images.

    Args:
        dataset: An evaluation set with the vocabulary of the training set.

    Returns:
        The counts; None if its tokenizer has no vocabulary of words, since CLIP's BPE tokens represent every word.
    """
    tokenizer = dataset.tokenizer
    if tokenizer.vocabulary is None:
        return None
    known = set(tokenizer.vocabulary)
    captions = (caption for index in range(len(dataset)) for caption in dataset.get_data_info(index)['captions'])
    counts = Counter(word for caption in captions for word in tokenizer.tokenize(caption))
    unknown = Counter({word: count for word, count in counts.items() if word not in known})
    commonest = sorted(unknown, key=lambda word: (-unknown[word], word))[:10]
    return UnknownWords(counts.total(), unknown.total(), len(unknown), commonest)
