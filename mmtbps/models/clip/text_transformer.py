"""CLIP's text transformer."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor
from torch.nn import functional

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, in_unit, positive
from mmtbps.registry import MODELS

from ..structures import TokenFeatures
from .tower import CLIPActivation, CLIPTower, read_arch

__all__ = ['CLIPTextTransformer']


@MODELS.register_module()
class CLIPTextTransformer(TextTransformer, CLIPTower):
    """CLIP's whole text tower (Radford et al., ICML 2021), with open_clip's names of all weights.

    The feature of a sentence is the output at its end token, projected. The tower is causal: positions after the end
    are not looked at, so only the longest sentence of a batch is computed, not the whole context, and a sentence does
    not depend on its neighbours. It reads the ids of :class:`~mmtbps.datasets.CLIPTokenizer`.

    ``init_cfg=dict(type='CLIPPretrained', checkpoint='openai')`` loads released weights; a context of another length
    has the positional embedding interpolated linearly, and the activation becomes the one that the weights were
    trained with.

    Args:
        arch: Name of one of open_clip's models (``'RN50'`` has a text tower too), or a mapping with ``embed_dim``
            (length of the feature) and any of ``layers``, ``width``, ``heads``, ``mlp_ratio``, ``vocab_size``,
            ``context_length``.
        context_length: Most ids of a sentence, the tokenizer's ``context_length``. None takes that of ``arch``, 77.
        quick_gelu: Activation of weights that do not say which one they need. False is open_clip's default.
        frozen_stages: -1 trains everything, 0 freezes the embedding, i also the first i blocks; the number of blocks
            freezes all.
        frozen: Beginnings of names of parameters to freeze, whole parts of a dotted name, such as
            ``('token_embedding',)``.
        attn_drop: Dropout of the attention weights in training; TBPS-CLIP takes 0.05 in the text tower. Defaults to 0,
            as CLIP does.
        legacy_padding: With ``with_tokens``, whether to compute all positions of the context, what stands behind the
            end of a caption included, as CLIP's own code does. The public code of IRRA lets masked words attend to it,
            see :class:`~mmtbps.models.MaskedWordHead`. Defaults to False.
        with_cp: Whether to recompute the blocks in the backward pass, which saves memory and costs time.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If an argument is none of the above, or a sentence is longer than the context.

    Example:
        >>> import torch
        >>> tower = CLIPTextTransformer(dict(embed_dim=16, layers=2, width=32, heads=2))
        >>> tower(torch.tensor([[49406, 320, 49407], [49406, 49407, 0]]), torch.tensor([3, 2])).shape
        torch.Size([2, 16])
    """

    stem = ('token_embedding', 'positional_embedding')

    @checked(context_length=positive, frozen_stages=at_least(-1), attn_drop=in_unit)
    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'ViT-B-16',
        context_length: int | None = None,
        quick_gelu: bool = False,
        frozen_stages: int = -1,
        frozen: Sequence[str] = (),
        attn_drop: float = 0.0,
        legacy_padding: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if not 0 <= attn_drop < 1:
            raise ValueError(f'CLIPTextTransformer: attn_drop must lie in [0, 1), got {attn_drop}')
        sizes = read_arch(arch, 'text_cfg')
        super().__init__(
            context_length=context_length or sizes['context_length'],
            vocab_size=sizes['vocab_size'],
            width=sizes['width'],
            heads=sizes['heads'],
            layers=sizes['layers'],
            mlp_ratio=sizes['mlp_ratio'],
            output_dim=sizes['embed_dim'],
            act_layer=CLIPActivation,
        )
        self.legacy_padding = legacy_padding
        for block in self.transformer.resblocks:
            block.attn.dropout = attn_drop
        self.finish(arch, quick_gelu or sizes['quick_gelu'], frozen_stages, frozen, with_cp, init_cfg)

    def forward(
        self, tokens: Tensor, lengths: Tensor, with_tokens: bool = False, with_attention: bool = False
    ) -> Tensor | TokenFeatures:
        """Turn sentences into features.

        Args:
            tokens: Ids of start, BPE tokens, end, padding, (M, L); M may be 0.
            lengths: Number of ids of each sentence, start and end included, (M,); on the host it costs no wait for the
                device.
            with_tokens: Whether to return all positions up to the longest sentence.
            with_attention: Whether ``attention`` is among them, the row of the end token.

        Returns:
            The end token, normalised and projected, (M, embed_dim); or :class:`~mmtbps.models.TokenFeatures`.

        Raises:
            ValueError: If a sentence is longer than the context.
        """
        longest = int(lengths.max()) if len(lengths) else 0
        if longest > self.context_length:
            raise ValueError(
                f'CLIPTextTransformer: a sentence has {longest} tokens, but context_length is {self.context_length}; '
                "set the tokenizer's context_length to that of the model"
            )
        tokens = tokens[:, :longest]
        lengths = lengths.to(tokens.device, non_blocking=True)
        if with_tokens:
            if self.legacy_padding:
                tokens = functional.pad(tokens, (0, self.context_length - longest))
            return self.forward_positions(tokens, lengths, with_attention)
        return self.encode_positions(tokens, lengths)

    def forward_positions(self, tokens: Tensor, lengths: Tensor, with_attention: bool) -> TokenFeatures:
        """Give all L positions of token ids (M, L); see :meth:`forward`, which leaves out those that nobody needs."""
        features, attn_mask = self._embed(tokens)
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        attention = None
        if with_attention:
            features, attention = self.run_blocks(features, lengths - 1, mask, attn_mask)
        else:
            features = self.transformer(features, attn_mask=attn_mask)
        return self.token_features(self.ln_final(features) @ self.text_projection, lengths - 1, mask, attention)

    def _embed(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Embed ids (M, L); returns the positions and the causal mask (L, L)."""
        length = tokens.shape[1]
        return self.token_embedding(tokens) + self.positional_embedding[:length], self.attn_mask[:length, :length]

    def encode_positions(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Encode all L positions of token ids (M, L); see :meth:`forward`, which leaves out those that nobody needs."""
        embedded, attn_mask = self._embed(tokens)
        words = self.transformer(embedded, attn_mask=attn_mask)
        ends = words[torch.arange(words.shape[0], device=words.device), lengths - 1]
        return self.ln_final(ends) @ self.text_projection

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Encode short texts of equal length, (M, L) ids from start to end; :meth:`forward` gives the same, later.

        The start sees nothing but itself, so it is computed once for all texts; the last block is computed at the end
        only.
        """
        length = tokens.shape[1]
        mask = self.attn_mask[1:length, :length]
        embedded = self.token_embedding(tokens) + self.positional_embedding[:length]
        start, words = embedded[:1, :1], embedded[:, 1:]
        for block in self.transformer.resblocks:
            seen = block.ln_1(torch.cat([start.expand(len(words), -1, -1), words], 1))
            if block is self.transformer.resblocks[-1]:
                words, mask = words[:, -1:], mask[-1:]
            words = words + block.attention(seen[:, -words.shape[1] :], seen, seen, mask)
            words = words + block.mlp(block.ln_2(words))
            start = block(start)
        return self.ln_final(words[:, 0]) @ self.text_projection
