"""The tokens that matter most for an image or a caption, beside its global feature."""

import math

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, in_unit, positive
from mmtbps.core.precision import promote
from mmtbps.registry import MODELS

from ..structures import TokenFeatures

__all__ = ['TokenSelection']


class _MLP(nn.Module):
    """Two linear layers with a batch norm over all rows in between; the public code's names of weights."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(in_channels, hidden_channels), nn.Linear(hidden_channels, out_channels)])
        self.bns = nn.ModuleList([nn.BatchNorm1d(hidden_channels)])

    def forward(self, rows: Tensor) -> Tensor:
        return self.layers[1](F.relu(self._normalize(self.layers[0](rows))))

    def _normalize(self, rows: Tensor) -> Tensor:
        norm = self.bns[0]
        # One word of one caption, in the last batch of an epoch, has no variance: it takes the running statistics.
        if type(norm) is nn.BatchNorm1d and norm.training and len(rows) == 1:
            return F.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return norm(rows)


@MODELS.register_module()
class TokenSelection(BaseModule):
    """Global feature and selected tokens as one vector (RDE; Qin et al., CVPR 2024, Sec. 3.2).

    The k tokens that the global token attends to most in the last block are normalised, embedded by
    ``MLP(x) + linear(x)`` and pooled by their maximum. The vector holds the unit global and the unit pooled feature,
    each times ``sqrt(1/2)``: the cosine of two such vectors is the mean of the two cosines, which RDE ranks by, so that
    an index can hold it.

    Images select among their patches, captions among their words; a caption with fewer than k words takes all of them,
    and padding takes no part in anything. (In training the public code fills k up with padding, which enters its batch
    statistics.)

    Args:
        in_channels: Width of the tokens.
        out_channels: Width of the pooled feature.
        hidden_channels: Width between the layers of the MLP. Defaults to None: half of ``out_channels``, as in RDE.
        ratio: Share of the tokens that is selected, 0.3 in the paper.
        context_length: For captions, the length that RDE pads them to, whose ``context_length - 2`` places for words
            determine k: 22 for CLIP's 77. Defaults to None: images, k is that share of their patches.
        norm_eval: Whether the batch norm stays in evaluation mode in training, as it did in the published runs of RDE:
            its statistics are never used or moved. Defaults to False.
        init_cfg: MMEngine's initialisation config.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If an argument is out of range.

    Example:
        >>> tokens = TokenFeatures(
        ...     pooled=torch.rand(2, 8), tokens=torch.rand(2, 13, 8), mask=torch.ones(2, 13).bool(),
        ...     attention=torch.rand(2, 13).softmax(1),
        ... )
        >>> TokenSelection(in_channels=8, out_channels=16)(tokens).shape
        torch.Size([2, 24])
    """

    needs_tokens = needs_attention = True

    @checked(
        in_channels=positive, out_channels=at_least(2), hidden_channels=positive, ratio=in_unit,
        context_length=at_least(3),
    )  # fmt: skip
    def __init__(
        self,
        in_channels: int = 512,
        out_channels: int = 1024,
        hidden_channels: int | None = None,
        ratio: float = 0.3,
        context_length: int | None = None,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.ratio = ratio
        self.context_length = context_length
        self.norm_eval = norm_eval
        self.linear = nn.Linear(in_channels, out_channels)
        self.mlp = _MLP(in_channels, hidden_channels or out_channels // 2, out_channels)

    def train(self, mode: bool = True) -> 'TokenSelection':
        """Set the mode, which the batch norm follows unless ``norm_eval``."""
        super().train(mode)
        self.mlp.bns.train(mode and not self.norm_eval)
        return self

    def forward(self, features: TokenFeatures) -> Tensor:
        """Turn all positions of N items into vectors.

        Args:
            features: Tokens (N, L, D) with the attention of the pooled one, (N, L).

        Returns:
            Vectors (N, D + out_channels) of length 1, shorter for captions without words: these have no second half.
        """
        scores = self.scores(features)
        count = min(self.count(scores.shape[1]), scores.shape[1])
        best, places = scores.topk(count, dim=1)
        width = features.tokens.shape[-1]
        chosen = features.tokens.gather(1, places[..., None].expand(-1, -1, width))
        return self.join(features.pooled, self.pool(chosen, best > -math.inf))

    def scores(self, features: TokenFeatures) -> Tensor:
        """Attention to the tokens that can be selected, without gradient; minus infinity elsewhere, (N, L)."""
        place = torch.arange(features.mask.shape[1], device=features.mask.device)
        candidates = features.mask & (place > 0)  # the class token, or the start
        if self.context_length is not None:
            candidates = candidates & (place < features.mask.sum(dim=1, keepdim=True) - 1)  # the end
        return features.attention.detach().masked_fill(~candidates, -math.inf)

    def count(self, length: int) -> int:
        """Number of tokens to select from an item of so many positions, at least 1."""
        places = length - 1 if self.context_length is None else self.context_length - 2
        return max(1, int(places * self.ratio))

    def pool(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        """Embed tokens (N, k, D) and pool those that are chosen, bool (N, k); zeros where none is."""
        tokens = promote(tokens)  # 1e-8 is nothing to a half-precision number
        tokens = tokens / (torch.linalg.vector_norm(tokens, dim=-1, keepdim=True) + 1e-8)
        if self.training:  # statistics over the chosen ones only
            rows = self.embed(tokens[chosen])
            embedded = rows.new_full((*chosen.shape, rows.shape[1]), -math.inf)
            embedded[chosen] = rows
        else:
            embedded = self.embed(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
            embedded = embedded.masked_fill(~chosen[..., None], -math.inf)
        return embedded.amax(dim=1).masked_fill(~chosen.any(dim=1, keepdim=True), 0.0)

    def embed(self, rows: Tensor) -> Tensor:
        """Embed tokens (R, D) as (R, out_channels)."""
        return self.mlp(rows) + self.linear(rows)

    @staticmethod
    def join(pooled: Tensor, selected: Tensor) -> Tensor:
        """Join both features, (N, D) and (N, out_channels), to one vector whose cosine is the mean of theirs."""
        halves = [F.normalize(promote(half), dim=1) for half in (pooled, selected)]
        return math.sqrt(0.5) * torch.cat(halves, dim=1)
