"""Contextualise words with a bidirectional GRU."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['BiGRUNeck']


@MODELS.register_module()
class BiGRUNeck(BaseModule):
    """Bidirectional GRU without biases and the maximum over time (Han et al., BMVC 2021, Sec. 3).

    Captions are packed: no padding enters the recurrence or the maximum, so that the feature of a sentence does not
    depend on what else is in the batch.

    Args:
        in_channels: Length of a word's embedding.
        hidden_size: Units per direction; the feature has twice as many. 512 is the published value.
        legacy_padding: Reproduce the public code: the maximum runs over the zeros that pad a batch to its longest
            caption, so that every shorter caption gets ``max(x, 0)``. For reproducing published results only.
        init_cfg: MMEngine's initialisation config.

    Example:
        >>> import torch
        >>> neck = BiGRUNeck(in_channels=4, hidden_size=3)
        >>> neck(torch.rand(2, 5, 4), torch.tensor([5, 2])).shape
        torch.Size([2, 6])
    """

    @checked(in_channels=positive, hidden_size=positive)
    def __init__(
        self,
        in_channels: int = 512,
        hidden_size: int = 512,
        legacy_padding: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.gru = nn.GRU(in_channels, hidden_size, bias=False, batch_first=True, bidirectional=True)
        self.padding_value = 0.0 if legacy_padding else float('-inf')

    # Packing moves the lengths to the host, which no graph of torch.compile can hold.
    @torch.compiler.disable
    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Turn words into sentence features.

        Args:
            words: Embeddings, (M, L, in_channels).
            lengths: Number of words of each caption, (M,), each at least 1.

        Returns:
            (M, 2 x hidden_size).
        """
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, padding_value=self.padding_value)
        return states.max(dim=1).values
