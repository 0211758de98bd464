"""Table of word embeddings."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['WordEmbedding']


@MODELS.register_module()
class WordEmbedding(BaseModule):
    """One vector per word of the vocabulary, contextualised by a neck such as :class:`BiGRUNeck`.

    The table is a parameter also when it is frozen, so that it travels in the checkpoint.

    Args:
        vocab_size: Number of words. Configs leave it None; it is read from the training set's tokenizer.
        embed_dims: Length of a word's vector; 512 is that of CLIP's ViT-B/32.
        pad_id: Id of the padding, whose vector is 0 and is not trained.
        frozen: Whether the table stays as it was loaded, as the paper does with CLIP's words.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the number of words is not known.
    """

    @checked(embed_dims=positive)
    def __init__(
        self,
        vocab_size: int | None,
        embed_dims: int = 512,
        pad_id: int = 0,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if vocab_size is None:
            raise ValueError(
                'WordEmbedding: vocab_size is None; call mmtbps.apis.resolve_data_sizes(cfg) before the model is '
                'built, which counts the words of the training set, or set it in the config'
            )
        self.table = nn.Embedding(vocab_size, embed_dims, padding_idx=pad_id)
        self.table.weight.requires_grad_(not frozen)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Look words up.

        Args:
            tokens: Word ids, (M, L).
            lengths: Not needed here; part of the contract of text backbones.

        Returns:
            (M, L, embed_dims).
        """
        del lengths
        return self.table(tokens)

    @torch.no_grad()
    def carry_over(self, rows: Tensor, stored_words: Sequence[str], words: Sequence[str]) -> Tensor:
        """Match the rows of a checkpoint with other words by word.

        Args:
            rows: The checkpoint's table, (number of its words, embed_dims).
            stored_words: The word of every row of the checkpoint.
            words: The word of every row of this table.

        Returns:
            A table for ``words``: rows of the checkpoint where it has the word, else the rows that are here now.

        Raises:
            ValueError: If the shapes do not fit.
        """
        weight = self.table.weight
        if rows.shape != (len(stored_words), weight.shape[1]) or len(words) != len(weight):
            raise ValueError(
                f"{type(self).__name__}: the checkpoint's table of words has shape {tuple(rows.shape)} for "
                f"{len(stored_words)} words, the model's has {tuple(weight.shape)} for {len(words)}. Set embed_dims "
                'to that of the checkpoint and vocab_size=None'
            )
        position = {word: index for index, word in enumerate(stored_words)}
        shared = [index for index, word in enumerate(words) if word in position]
        result = weight.to(rows, copy=True)
        result[shared] = rows[[position[words[index]] for index in shared]]
        return result
