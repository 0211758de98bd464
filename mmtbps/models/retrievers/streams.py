"""The two streams of a retriever: backbone and neck of one modality."""

from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.registry import MODELS

__all__ = ['ImageStream', 'TextStream']


def _last(features: Tensor | tuple[Tensor, ...]) -> Tensor:
    """MMPretrain's backbones and necks return one tensor per stage; take the last."""
    return features if isinstance(features, Tensor) else features[-1]


def _check_feature(stream: BaseModule, features: Tensor) -> Tensor:
    """Refuse maps or word sequences where one feature per item is due."""
    if features.ndim != 2:
        raise ValueError(
            f'{type(stream).__name__}: expected one feature per item, (N, C), got shape {tuple(features.shape)}; '
            'add a neck that pools, such as GlobalAveragePooling for images or BiGRUNeck for words'
        )
    return features


@MODELS.register_module()
class ImageStream(BaseModule):
    """Backbone and optional neck of the images.

    Args:
        backbone: Config of any backbone from images to features or to a tuple of them, of which the last is used.
        neck: Config of a neck on the backbone's output, such as ``GlobalAveragePooling``; None if the backbone pools.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, backbone: dict, neck: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = None if neck is None else MODELS.build(neck)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) into features (N, C).

        Raises:
            ValueError: If backbone and neck leave a map instead of a feature.
        """
        features = self.backbone(images)
        if self.neck is not None:
            features = self.neck(features)
        return _check_feature(self, _last(features))


@MODELS.register_module()
class TextStream(BaseModule):
    """Backbone and optional neck of the captions.

    Args:
        backbone: Config of a module from tokens and lengths to words (M, L, E) or to sentences (M, C).
        neck: Config of a module from words and lengths to sentences; None if the backbone gives sentences.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, backbone: dict, neck: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = None if neck is None else MODELS.build(neck)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Turn token ids (M, L) and lengths (M,) into features (M, C).

        Raises:
            ValueError: If backbone and neck leave words instead of a sentence.
        """
        features = self.backbone(tokens, lengths)
        if self.neck is not None:
            features = self.neck(features, lengths)
        return _check_feature(self, _last(features))
