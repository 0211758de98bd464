"""Base of the heads of a retriever."""

from abc import abstractmethod

from mmengine.model import BaseModule
from torch import Tensor

from ..structures import PairEmbeddings

__all__ = ['BaseHead']


class BaseHead(BaseModule):
    """Turn the embeddings of a batch into weighted losses.

    A retriever has any number of heads and adds their losses. A new head implements :meth:`compute_losses`.

    Args:
        loss_weight: Factor of every loss of this head. The paper weighs all losses with 1.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the weight is negative.
    """

    def __init__(self, loss_weight: float = 1.0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if loss_weight < 0:
            raise ValueError(f'{type(self).__name__}: loss_weight must not be negative, got {loss_weight}')
        self.loss_weight = loss_weight

    def loss(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Compute the weighted losses.

        Args:
            pairs: Embeddings of the batch.

        Returns:
            Scalars; their names start with ``loss``.
        """
        return {name: self.loss_weight * value for name, value in self.compute_losses(pairs).items()}

    @abstractmethod
    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Compute the losses before they are weighted.

        Args:
            pairs: Embeddings of the batch.

        Returns:
            Scalars; their names start with ``loss``.
        """
