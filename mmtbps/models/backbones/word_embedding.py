"""Table of word embeddings."""

from mmengine.model import BaseModule
from torch import Tensor, nn

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
