"""Cross-modal projection classification."""

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

from ..losses import cmpc_loss
from ..structures import PairEmbeddings
from .classifier_head import ClassifierHead

__all__ = ['CMPCHead']


@MODELS.register_module()
class CMPCHead(ClassifierHead):
    """Classify each feature's projection onto its partner: :func:`~mmtbps.models.losses.cmpc_loss`.

    Args:
        num_classes: Number of training identities; None in configs, read from the training set.
        in_channels: Length of the embeddings.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.
    """

    @checked(in_channels=positive)
    def __init__(
        self,
        num_classes: int | None,
        in_channels: int = 256,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_weight, init_cfg)

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``, the image term plus the text term."""
        return {'loss': cmpc_loss(pairs.image, pairs.text, pairs.person_ids, self.projection)}
