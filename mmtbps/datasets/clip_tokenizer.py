"""CLIP's byte-pair encoding."""

from functools import lru_cache

from open_clip.tokenizer import SimpleTokenizer

from mmtbps.registry import TOKENIZER

from .tokenizers import Tokenizer

__all__ = ['CLIPTokenizer']


@lru_cache(maxsize=1)
def _encoding() -> SimpleTokenizer:
    """One table of merges for all tokenizers of a process; it is not copied to workers with the data set."""
    return SimpleTokenizer()


@TOKENIZER.register_module()
class CLIPTokenizer(Tokenizer):
    """The tokenizer of CLIP's text tower (Radford et al., ICML 2021), which open_clip ships.

    ``encode`` gives start, pieces, end; the end is the last id, so the text tower finds it at ``lengths - 1``. Batches
    are padded with 0 as CLIP's own are (a piece, '!', whose positions the causal tower does not look at).

    Args:
        context_length (int): Most ids of a sentence, start and end included. A longer one is cut before its end,
            which is kept. Defaults to 77, the positions of the released text towers; a tower with more positions
            may be given more.

    Raises:
        ValueError: If there is no room for start and end.

    Examples:
        >>> tokenizer = CLIPTokenizer()
        >>> tokenizer.tokenize('A red t-shirt')
        ['a</w>', 'red</w>', 't</w>', '-</w>', 'shirt</w>']
        >>> tokenizer.encode('A red t-shirt')
        [49406, 320, 736, 339, 268, 2523, 49407]
    """

    def __init__(self, context_length: int = 77) -> None:
        if context_length < 2:
            raise ValueError(f'CLIPTokenizer needs context_length >= 2 for start and end, but got {context_length}.')
        self.context_length = context_length

    def tokenize(self, text: str) -> list[str]:
        """Split a sentence into pieces; ``</w>`` marks the end of a word.

        Args:
            text (str): Any text, the empty one included.

        Returns:
            list[str]: The pieces without start and end, not cut.
        """
        encoding = _encoding()
        return [encoding.decoder[index] for index in encoding.encode(text)]

    def encode(self, text: str) -> list[int]:
        """Turn a sentence into ids.

        Args:
            text (str): Any text, the empty one included.

        Returns:
            list[int]: Start, pieces, end: between 2 and ``context_length`` ids, not padded.
        """
        encoding = _encoding()
        pieces = encoding.encode(text)[: self.context_length - 2]
        return [encoding.sot_token_id, *pieces, encoding.eot_token_id]

    @property
    def vocab_size(self) -> int:
        """Number of ids, 49,408."""
        return _encoding().vocab_size

    def __repr__(self) -> str:
        return f'{type(self).__name__}(context_length={self.context_length})'
