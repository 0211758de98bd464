"""Geometric augmentation of the training images."""

import random

import mmcv
import numpy as np
from mmcv.image.geometric import cv2_interp_codes, pillow_interp_codes
from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.registry import TRANSFORMS

__all__ = ['ResizeFlipCrop']

_INTERPOLATIONS = {'cv2': cv2_interp_codes, 'pillow': pillow_interp_codes}


@TRANSFORMS.register_module()
class ResizeFlipCrop(BaseTransform):
    """Resize, flip at random, pad with black and crop to the original size at a random place, in one step.

    Equivalent to MMPretrain's ``Resize``, ``RandomFlip`` and ``RandomCrop(padding=...)`` in sequence, in a third of
    their time: the four operations are one resize and one copy of the visible part.
    The order is that of `Text-Based Person Search with Limited Data <https://arxiv.org/abs/2110.10807>`_'s training.
    Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - img

    **Modified Keys:**

    - img: stored channel by channel, which saves :class:`PackTBPSInputs` a copy
    - img_shape

    Args:
        size: Height and width. Defaults to (384, 128), as in the paper.
        flip_prob: Probability of a horizontal flip. Defaults to 0.5, half of the images.
        padding: Black pixels on every side, by which the crop can be shifted. Defaults to 10, as is usual in person
            re-identification.
        interpolation: An interpolation of the backend, such as 'bilinear', 'bicubic' or 'lanczos'. Defaults to
            'bilinear', as in MMCV's ``Resize`` of the evaluation.
        backend: 'cv2', or 'pillow', which smooths when it shrinks and gives exactly the pixels of PIL, and so of
            torchvision and most public code; those of OpenCV differ by up to 7 grey levels. Weights that were trained
            with 'pillow' need it in the evaluation too, ``Resize(backend='pillow')``. Defaults to 'cv2', which is
            faster.

    Raises:
        ValueError: If an argument is out of range.
    """

    @checked()
    def __init__(
        self,
        size: tuple[int, int] = (384, 128),
        flip_prob: float = 0.5,
        padding: int = 10,
        interpolation: str = 'bilinear',
        backend: str = 'cv2',
    ) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size must be a positive height and width, but got {size}.')
        if not 0 <= flip_prob <= 1:
            raise ValueError(f'flip_prob must be between 0 and 1, but got {flip_prob}.')
        if not 0 <= padding < min(size):
            raise ValueError(f'padding must be at least 0 and less than both sides of size={size}, but got {padding}.')
        if backend not in _INTERPOLATIONS:
            raise ValueError(f'backend must be one of {sorted(_INTERPOLATIONS)}, but got {backend!r}.')
        known = sorted(_INTERPOLATIONS[backend])
        if interpolation not in known:
            raise ValueError(f'interpolation of backend {backend!r} must be one of {known}, but got {interpolation!r}.')
        self.size = tuple(size)
        self.flip_prob = flip_prob
        self.padding = padding
        self.interpolation = interpolation
        self.backend = backend

    def transform(self, results: dict) -> dict:
        """Transform ``results['img']``."""
        height, width = self.size
        resized = mmcv.imresize(results['img'], (width, height), interpolation=self.interpolation, backend=self.backend)
        if random.random() < self.flip_prob:
            resized = resized[:, ::-1]
        to_rows, from_rows = self._draw_shift(height)
        to_columns, from_columns = self._draw_shift(width)
        image = np.zeros((resized.shape[2], height, width), dtype=resized.dtype)
        image[:, to_rows, to_columns] = resized[from_rows, from_columns].transpose(2, 0, 1)
        results['img'] = image.transpose(1, 2, 0)
        results['img_shape'] = self.size
        return results

    def _draw_shift(self, side: int) -> tuple[slice, slice]:
        """Draw the position of the crop on a padded side: the visible pixels, in the crop and in the image."""
        shift = random.randint(-self.padding, self.padding)
        visible = side - abs(shift)
        start, source = max(shift, 0), max(-shift, 0)
        return slice(start, start + visible), slice(source, source + visible)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, flip_prob={self.flip_prob}, padding={self.padding}, '
            f'interpolation={self.interpolation!r}, backend={self.backend!r})'
        )
