"""CLIP's byte-pair encoding."""

from functools import lru_cache

from open_clip.tokenizer import SimpleTokenizer

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least
from mmtbps.registry import TOKENIZER

from .caption_cleaning import CAPTION_CLEANINGS
from .tokenizers import Tokenizer
from .unicode_text import plain_characters, without_invisible

__all__ = ['CLIPTokenizer']


@lru_cache(maxsize=1)
def _encoding() -> SimpleTokenizer:
    """One table of merges for all tokenizers of a process; it is not copied to workers with the data set."""
    return SimpleTokenizer()


def _length(text: str) -> int:
    """Number of BPE tokens; of text that needs no repair they are counted word by word, ten times as fast."""
    encoding = _encoding()
    if text.isascii() and text.isprintable() and '&' not in text:
        return sum(map(_length_of_word, encoding.pat.findall(text.lower())))
    return len(encoding.encode(text))


@lru_cache(maxsize=2**16)
def _length_of_word(word: str) -> int:
    return len(_encoding().bpe(word).split(' '))


@TOKENIZER.register_module()
class CLIPTokenizer(Tokenizer):
    """The tokenizer of CLIP's text tower (Radford et al., ICML 2021), which open_clip ships.

    ``encode`` returns the start token, BPE tokens and the end token; the end is the last id, so that the text tower
    finds it at ``lengths - 1``. Batches are padded with 0 as in CLIP; that id is the token '!', but the causal tower
    ignores positions behind the end.

    Args:
        context_length: Largest number of ids of a sentence, including start and end. A longer sentence is cut before
            the end token, which is kept. Defaults to 77, the number of positions of the released text towers; a tower
            with more positions can read more.
        cleaning: Name of the cleaning that captions undergo first, one of ``CAPTION_CLEANINGS``; weights that were
            trained with one need it. Defaults to None: CLIP's own alone.

    Raises:
        ValueError: If ``context_length`` leaves no room for start and end, or ``cleaning`` is unknown.

    Examples:
        >>> tokenizer = CLIPTokenizer()
        >>> tokenizer.tokenize('A red t-shirt')
        ['a</w>', 'red</w>', 't</w>', '-</w>', 'shirt</w>']
        >>> tokenizer.encode('A red t-shirt')
        [49406, 320, 736, 339, 268, 2523, 49407]
    """

    @checked(context_length=at_least(2))
    def __init__(self, context_length: int = 77, cleaning: str | None = None) -> None:
        if cleaning is not None and cleaning not in CAPTION_CLEANINGS:
            raise ValueError(f'CLIPTokenizer: cleaning must be one of {list(CAPTION_CLEANINGS)}, got {cleaning!r}.')
        self.context_length = context_length
        self.cleaning = cleaning

    def tokenize(self, text: str) -> list[str]:
        """Split a sentence into BPE tokens; ``</w>`` marks the end of a word.

        Args:
            text: Any text, which may be empty.

        Returns:
            The tokens without start and end, not cut.
        """
        encoding = _encoding()
        return [encoding.decoder[index] for index in encoding.encode(self.clean(text))]

    def encode(self, text: str) -> list[int]:
        """Convert a sentence to ids.

        Args:
            text: Any text, which may be empty.

        Returns:
            Ids of start, BPE tokens and end: between 2 and ``context_length`` ids, not padded.
        """
        encoding = _encoding()
        tokens = encoding.encode(self.clean(text))[: self.context_length - 2]
        return [encoding.sot_token_id, *tokens, encoding.eot_token_id]

    def excess(self, text: str) -> int:
        """Number of BPE tokens beyond ``context_length``, see :meth:`Tokenizer.excess`."""
        return max(0, _length(self.clean(text)) + 2 - self.context_length)

    @property
    def vocab_size(self) -> int:
        """Number of ids, 49,408."""
        return _encoding().vocab_size

    @property
    def mask_id(self) -> int:
        """Id that masks words, 49,405, which CLIP has for its rarest piece, as in IRRA."""
        return _encoding().sot_token_id - 1

    def clean(self, text: str) -> str:
        """Remove characters without a width, and clean a sentence by the rule of ``cleaning``.

        A cleaning knows the punctuation of ASCII, as which all other is written first.
        """
        if self.cleaning is None:
            return without_invisible(text)
        return CAPTION_CLEANINGS[self.cleaning](plain_characters(text))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(context_length={self.context_length}, cleaning={self.cleaning!r})'
