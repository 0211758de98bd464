"""Prediction of masked words from the words around them and the image."""

from open_clip.transformer import LayerNorm, QuickGELU, Transformer
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.core.distributed import gather
from mmtbps.datasets.transforms.tokens import IGNORED
from mmtbps.registry import MODELS

from ..losses import masked_word_loss
from ..structures import PairEmbeddings, TokenFeatures
from .base_head import BaseHead
from .classifier_head import resolved_size

__all__ = ['MaskedWordHead']


class _WordClassifier(nn.Module):
    """Linear, activation, norm, linear."""

    def __init__(self, width: int, vocab_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.activation = QuickGELU()
        self.ln = LayerNorm(width)
        self.fc = nn.Linear(width, vocab_size)

    def forward(self, words: Tensor) -> Tensor:
        return self.fc(self.ln(self.activation(self.dense(words))))


@MODELS.register_module()
class MaskedWordHead(BaseHead):
    """Predict masked words with a cross-modal encoder (IRRA's implicit relation reasoning; Jiang & Ye, CVPR 2023).

    Words of the masked caption attend to the tokens of the image, go through blocks of self-attention, and those that
    were masked are classified: :func:`~mmtbps.models.losses.masked_word_loss`, the mean over the masked words of all
    processes. Only the masked words are classified, which costs a tenth of classifying all. The head serves training
    alone. Names of weights are those of the public code.

    Args:
        vocab_size: Number of ids; None in configs, read from the tokenizer.
        width: Length of the tokens, and width of the encoder; 512 is that of CLIP's ViT-B/16.
        depth: Number of blocks; 4 is the published value.
        heads: Attention heads. Defaults to None: one for 64 channels, as in CLIP.
        view: Name of the masked view that :class:`~mmtbps.datasets.MaskTokens` adds.
        caption_is_masked: The caption itself is masked (``MaskTokens(in_place=True)``), and its own tokens are read, as
            the public code of IRRA does against its paper. Defaults to False.
        legacy_padding: Words attend to the padding behind short captions too, as in the public code, so that the loss
            depends on it; the text tower then needs its ``legacy_padding``. Defaults to False.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the number of ids is not known.
    """

    @checked(width=positive, depth=positive, heads=positive)
    def __init__(
        self,
        vocab_size: int | None = None,
        width: int = 512,
        depth: int = 4,
        heads: int | None = None,
        view: str = 'masked',
        caption_is_masked: bool = False,
        legacy_padding: bool = False,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        vocab_size = resolved_size(self, 'vocab_size', vocab_size)
        self.view, self.caption_is_masked, self.legacy_padding = view, caption_is_masked, legacy_padding
        text = ('tokens.text', f'views.{view}') if caption_is_masked else (f'views.{view}.tokens',)
        self.needs = ('tokens.image', *text)
        self.num_heads = heads or max(1, width // 64)
        self.cross_attn = nn.MultiheadAttention(width, self.num_heads, batch_first=True)
        self.cross_modal_transformer = Transformer(width, depth, self.num_heads, act_layer=QuickGELU)
        self.ln_pre_t, self.ln_pre_i, self.ln_post = LayerNorm(width), LayerNorm(width), LayerNorm(width)
        self.mlm_head = _WordClassifier(width, vocab_size)
        self._draw_weights(width, depth)

    def _draw_weights(self, width: int, depth: int) -> None:
        """Start as the public code does: CLIP's scheme."""
        attention, inner = width**-0.5, (2 * width) ** -0.5
        outer = attention * (2 * depth) ** -0.5
        blocks = self.cross_modal_transformer.resblocks
        for layer in (self.cross_attn, *(block.attn for block in blocks)):
            nn.init.normal_(layer.in_proj_weight, std=attention)
            nn.init.normal_(layer.out_proj.weight, std=outer)
        for block in blocks:
            nn.init.normal_(block.mlp.c_fc.weight, std=inner)
            nn.init.normal_(block.mlp.c_proj.weight, std=outer)
        nn.init.normal_(self.mlm_head.dense.weight, std=inner)
        nn.init.normal_(self.mlm_head.fc.weight, std=outer)

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``.

        Raises:
            ValueError: If the caption itself is to be masked and is not.
        """
        view = getattr(pairs.views, self.view)
        if self.caption_is_masked and 'text' in view:
            raise ValueError(
                f'MaskedWordHead: caption_is_masked=True reads the caption itself, and the view {self.view!r} has '
                'masked words of its own: the answer would be in sight. Set MaskTokens(in_place=True), or leave '
                'caption_is_masked out.'
            )
        text = pairs.tokens.text if self.caption_is_masked else view.tokens
        words = self.encode(text, pairs.tokens.image)
        # Whichever is padded further: what is behind a caption is not predicted.
        length = min(words.shape[1], view.labels.shape[1])
        words, labels = words[:, :length], view.labels[:, :length]
        masked = labels != IGNORED
        count = gather(masked.sum().reshape(1)).double().mean()
        return {'loss': masked_word_loss(self.mlm_head(words[masked]), labels[masked], count)}

    def encode(self, text: TokenFeatures, image: TokenFeatures) -> Tensor:
        """Mix words with what they see in the image.

        Args:
            text: Positions of N captions, (N, L, D).
            image: Positions of their images, (N, P, D).

        Returns:
            (N, L, D).
        """
        seen = self.ln_pre_i(image.tokens)
        words = self.cross_attn(self.ln_pre_t(text.tokens), seen, seen, need_weights=False)[0]
        return self.ln_post(self.cross_modal_transformer(words, attn_mask=self._attention_mask(text.mask, words)))

    def _attention_mask(self, mask: Tensor, words: Tensor) -> Tensor | None:
        """What keeps words (N, L, D) from attending to padding, (N * heads, L, L)."""
        if self.legacy_padding:
            return None
        length = mask.shape[1]
        hidden = words.new_zeros(mask.shape).masked_fill(~mask, float('-inf'))
        return hidden[:, None, None].expand(-1, self.num_heads, length, -1).flatten(0, 1)
