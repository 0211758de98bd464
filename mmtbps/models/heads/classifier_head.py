"""Base of the heads that classify identities."""

import torch
from torch import nn

from .base_head import BaseHead

__all__ = ['ClassifierHead', 'resolved_size']


def resolved_size(head: BaseHead, name: str, size: int | None) -> int:
    """Refuse a size that the data decide and that nobody has filled in.

    Raises:
        ValueError: If it is not known or not positive.
    """
    if size is None:
        raise ValueError(
            f'{type(head).__name__}: {name} is None; call mmtbps.apis.resolve_data_sizes(cfg) before the model is '
            'built, which takes it from the training set, or set it in the config'
        )
    if size < 1:
        raise ValueError(f'{type(head).__name__}: {name} must be at least 1, got {size}')
    return size


class ClassifierHead(BaseHead):
    """A head with one matrix ``projection`` (D x C) that both modalities share; one column per identity.

    The losses normalise its columns. It starts Xavier-uniform (Glorot & Bengio 2010).

    Args:
        num_classes: C, the number of training identities. Configs leave it None; it is read from the training set.
        in_channels: D, the length of the embeddings.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the number of classes is not known or not positive.
    """

    def __init__(
        self, num_classes: int | None, in_channels: int, loss_weight: float = 1.0, init_cfg: dict | None = None
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        self.num_classes = resolved_size(self, 'num_classes', num_classes)
        self.projection = nn.Parameter(torch.empty(in_channels, self.num_classes))
        nn.init.xavier_uniform_(self.projection)
