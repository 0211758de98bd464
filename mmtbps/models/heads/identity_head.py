"""Identity classification."""

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit, positive
from mmtbps.registry import MODELS

from ..losses import identity_loss
from ..structures import PairEmbeddings
from .classifier_head import ClassifierHead

__all__ = ['IdentityHead']


@MODELS.register_module()
class IdentityHead(ClassifierHead):
    """Classify the identity of images and captions with one shared matrix: :func:`~mmtbps.models.losses.identity_loss`.

    The loss is a mean over the local batch; the mean of the gradients over processes is that of all their batches.

    Args:
        num_classes: Number of training identities; None in configs, read from the training set.
        in_channels: Length of the embeddings.
        label_smoothing: Mass spread over all classes; 0.1 is the published value.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.
    """

    @checked(in_channels=positive, label_smoothing=in_unit)
    def __init__(
        self,
        num_classes: int | None,
        in_channels: int = 256,
        label_smoothing: float = 0.1,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_weight, init_cfg)
        self.label_smoothing = label_smoothing

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``, the image term plus the text term."""
        return {'loss': identity_loss(pairs.image, pairs.text, pairs.person_ids, self.projection, self.label_smoothing)}
