"""Base of the heads of a retriever."""

from abc import abstractmethod
from collections.abc import Mapping

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtbps.core.arguments import checked

from ..structures import PairEmbeddings

__all__ = ['BaseHead']


class BaseHead(BaseModule):
    """Turn the embeddings of a batch into weighted losses.

    A retriever has any number of heads and adds their losses. A new head implements :meth:`compute_losses` and reads
    what it needs by name from :class:`~mmtbps.models.PairEmbeddings`.

    Attributes:
        needs: Names of what it reads beyond ``image``, ``text`` and ``person_ids``, such as ``'contrast'``. Views
            and token features are computed for heads that name them: ``'views.NAME'``, ``'tokens.image'``,
            ``'tokens.text'``, ``'views.NAME.tokens'``, and with the attention of the pooled position
            ``'tokens.image.attention'`` etc.

    Args:
        loss_weight: Factor of every loss of this head. The paper weighs all losses with 1.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the weight is negative.
    """

    needs: tuple[str, ...] = ()

    @checked()
    def __init__(self, loss_weight: float = 1.0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.loss_weight = loss_weight

    def share(self, temperatures: Mapping[str, nn.Module]) -> None:
        """Take the temperature that ``temperature`` names; it stays a part of the retriever, not of this head.

        Args:
            temperatures: The retriever's, by name.

        Raises:
            ValueError: If the name is not among them.
        """
        name = self.__dict__.get('temperature')
        if isinstance(name, str):
            if name not in temperatures:
                raise ValueError(
                    f'{type(self).__name__}: temperature={name!r} names none of the temperatures of the retriever, '
                    f'which are {sorted(temperatures)}; add it there, or give a number'
                )
            # Past Module.__setattr__, which would make it a child of every head that shares it.
            self.__dict__['temperature'] = temperatures[name]

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
