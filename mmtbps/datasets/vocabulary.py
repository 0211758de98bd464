"""Words of data sets."""

from collections.abc import Iterable, Sequence

from .annotation import SPLITS
from .base import TBPSDataset
from .tokenizers import WordTokenizer

__all__ = ['collect_words']


def collect_words(datasets: Iterable[TBPSDataset], splits: Sequence[str] = SPLITS) -> list[str]:
    """Collect the words of the captions of several data sets; no image is looked at.

    Args:
        datasets: The data sets; ``lazy_init=True`` is enough.
        splits: Splits to read. Defaults to all: a table of encoded words may well cover words of sentences that a
            model is not trained on.

    Returns:
        Every word once, the most frequent first, as :class:`WordTokenizer` orders them.

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
