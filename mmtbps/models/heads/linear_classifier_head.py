"""Identity classification with a linear layer."""

from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

from ..losses import linear_identity_loss
from ..structures import PairEmbeddings
from .base_head import BaseHead
from .classifier_head import resolved_size

__all__ = ['LinearClassifierHead']


@MODELS.register_module()
class LinearClassifierHead(BaseHead):
    """Classify the identity of images and captions with one linear layer, as IRRA does (Jiang & Ye, CVPR 2023).

    :func:`~mmtbps.models.losses.linear_identity_loss`, a mean over the local batch; the mean of the gradients over
    processes is that of all their batches. Unlike :class:`IdentityHead` it has a bias, normalises nothing and takes the
    mean of both modalities.

    Args:
        num_classes: Number of training identities; None in configs, read from the training set.
        in_channels: Length of the embeddings; 512 is that of CLIP's ViT-B/16.
        std: Deviation of the weights at the start, 0.001 as in IRRA; the bias starts at 0.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the number of classes is not known or not positive.
    """

    @checked(in_channels=positive)
    def __init__(
        self,
        num_classes: int | None,
        in_channels: int = 512,
        std: float = 0.001,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        self.classifier = nn.Linear(in_channels, resolved_size(self, 'num_classes', num_classes))
        nn.init.normal_(self.classifier.weight, std=std)
        nn.init.zeros_(self.classifier.bias)

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``, the mean of the image term and the text term."""
        layer = self.classifier
        return {'loss': linear_identity_loss(pairs.image, pairs.text, pairs.person_ids, layer.weight, layer.bias)}
