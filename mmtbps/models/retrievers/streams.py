"""The two streams of a retriever: backbone and neck of one modality."""

import math
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.registry import MODELS

from ..structures import TokenFeatures

__all__ = ['ImageStream', 'TextStream']


def _last(features: Tensor | tuple[Tensor, ...]) -> Tensor:
    """MMPretrain's backbones and necks return one tensor per stage; take the last."""
    return features if isinstance(features, Tensor) else features[-1]


class _Stream(BaseModule):
    """Backbone and optional neck.

    A neck that reads all positions of a tower says so by ``needs_tokens = True`` (and ``needs_attention = True``). It
    is then called with :class:`~mmtbps.models.TokenFeatures` and returns one feature per item.
    """

    advice = ''

    def __init__(self, backbone: dict, neck: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = None if neck is None else MODELS.build(neck)
        self.reads_tokens = getattr(self.neck, 'needs_tokens', False)
        if self.reads_tokens and not getattr(self.backbone, 'gives_tokens', False):
            raise ValueError(
                f'{type(self.neck).__name__} reads all positions of a tower (needs_tokens), but '
                f'{type(self.backbone).__name__} gives none; take CLIPViT or CLIPTextTransformer, or a backbone with '
                'gives_tokens = True whose forward takes with_tokens and with_attention'
            )

    @property
    def gives_tokens(self) -> bool:
        """Whether the stream can be asked for ``with_tokens``."""
        return getattr(self.backbone, 'gives_tokens', False) and (self.neck is None or self.reads_tokens)

    def _all_positions(self, with_attention: bool, *inputs: Tensor) -> TokenFeatures:
        """Run backbone and neck; the feature of the neck takes the place of the backbone's."""
        if not self.gives_tokens:
            raise ValueError(
                f'{type(self).__name__}: {type(self.backbone).__name__} with {type(self.neck).__name__} as neck gives '
                'no tokens; take CLIPViT or CLIPTextTransformer without a neck that pools'
            )
        with_attention = with_attention or getattr(self.neck, 'needs_attention', False)
        features: Any = self.backbone(*inputs, with_tokens=True, with_attention=with_attention)
        if self.neck is not None:
            features.pooled = self._one_feature(self.neck(features))
        return features

    def _one_feature(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Refuse maps or word sequences where one feature per item is due."""
        features = _last(features)
        if features.ndim != 2:
            raise ValueError(
                f'{type(self).__name__}: expected one feature per item, (N, C), got shape {tuple(features.shape)}; '
                f'add a neck that pools, such as {self.advice}'
            )
        return features


@MODELS.register_module()
class ImageStream(_Stream):
    """Backbone and optional neck of the images.

    Args:
        backbone: Config of any backbone from images to features or to a tuple of them, of which the last is used.
        neck: Config of a neck on the backbone's output, such as ``GlobalAveragePooling``; None if the backbone pools. A
            neck with ``needs_tokens`` is given all positions of a CLIPViT.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the neck reads tokens, and the backbone gives none.
    """

    advice = 'GlobalAveragePooling'

    def forward(
        self, images: Tensor, with_tokens: bool = False, with_attention: bool = False
    ) -> Tensor | TokenFeatures:
        """Turn images into features.

        Args:
            images: (N, 3, H, W).
            with_tokens: Whether to return all positions as well.
            with_attention: Whether ``attention`` is among them.

        Returns:
            Features (N, C), or :class:`~mmtbps.models.TokenFeatures`.

        Raises:
            ValueError: If backbone and neck leave a map instead of a feature, the neck would pool over the wrong
                dimensions, or there are no tokens.
        """
        if with_tokens or self.reads_tokens:
            features = self._all_positions(with_attention, images)
            return features if with_tokens else features.pooled
        features = self.backbone(images)
        if self.neck is None:
            return self._one_feature(features)
        self._check_map(_last(features), images)
        return self._one_feature(self.neck(features))

    def _check_map(self, features: Tensor, images: Tensor) -> None:
        """Refuse tokens and channels-last maps, over which a pooling neck would give nonsense without a word."""
        names = f'{type(self.backbone).__name__} gives {tuple(features.shape)}'
        if features.ndim == 3:
            raise ValueError(
                f'ImageStream: {names}, tokens (N, L, C), and {type(self.neck).__name__} pools maps (N, C, H, W). Let '
                'the backbone pool (out_type, global_pool), without a neck'
            )
        if features.ndim == 4 and _is_channels_last(features, images):
            raise ValueError(
                f'ImageStream: {names} for images {tuple(images.shape)}, a map with the channels last, and '
                f'{type(self.neck).__name__} pools maps (N, C, H, W). Take a backbone that permutes them'
            )


def _is_channels_last(features: Tensor, images: Tensor) -> bool:
    """Whether the second and third dimension have the proportions of the images rather than the last two."""
    proportion = math.log(images.shape[-2] / images.shape[-1])
    first, second, third = (math.log(side) for side in features.shape[1:])
    return abs(first - second - proportion) < abs(second - third - proportion)


@MODELS.register_module()
class TextStream(_Stream):
    """Backbone and optional neck of the captions.

    Args:
        backbone: Config of a module from tokens and lengths to words (M, L, E) or to sentences (M, C).
        neck: Config of a module from words and lengths to sentences; None if the backbone gives sentences. A neck with
            ``needs_tokens`` is given all positions of a CLIPTextTransformer instead.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the neck reads tokens, and the backbone gives none.
    """

    advice = 'BiGRUNeck'

    def forward(
        self, tokens: Tensor, lengths: Tensor, with_tokens: bool = False, with_attention: bool = False
    ) -> Tensor | TokenFeatures:
        """Turn token ids into features.

        Args:
            tokens: (M, L).
            lengths: (M,); on the host they cost no wait for the device.
            with_tokens: Whether to return all positions as well.
            with_attention: Whether ``attention`` is among them.

        Returns:
            Features (M, C), or :class:`~mmtbps.models.TokenFeatures`.

        Raises:
            ValueError: If backbone and neck leave words instead of a sentence, or there are no tokens.
        """
        if with_tokens or self.reads_tokens:
            features = self._all_positions(with_attention, tokens, lengths)
            return features if with_tokens else features.pooled
        features = self.backbone(tokens, lengths)
        return self._one_feature(features if self.neck is None else self.neck(features, lengths))
