"""Geometry of the training images."""

import random

import mmcv
import numpy as np
from mmcv.image.geometric import cv2_interp_codes, pillow_interp_codes
from mmcv.transforms import BaseTransform

from mmtbps.registry import TRANSFORMS

__all__ = ['ResizeFlipCrop']

_INTERPOLATIONS = {'cv2': cv2_interp_codes, 'pillow': pillow_interp_codes}


@TRANSFORMS.register_module()
class ResizeFlipCrop(BaseTransform):
    """Resize, flip at random, pad with black and crop back to the size at a random place, in one go.

    The same as MMPretrain's ``Resize``, ``RandomFlip`` and ``RandomCrop(padding=...)`` one after the other, in a
    third of their time: the four steps are one resize and one copy of what remains visible.
    The order is that of `Text-Based Person Search with Limited Data <https://arxiv.org/abs/2110.10807>`_'s training.
    Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - img

    **Modified Keys:**

    - img: stored channel by channel, which saves :class:`PackTBPSInputs` a copy
    - img_shape

    Args:
        size (tuple[int, int]): Height and width. Defaults to (384, 128), the paper's.
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.5.
        padding (int): Black pixels on every side; the crop moves by up to as many. Defaults to 10.
        interpolation (str): One that the backend has, such as 'bilinear', 'bicubic' or 'lanczos'. Defaults to
            'bilinear', as MMCV's ``Resize`` of the evaluation.
        backend (str): 'cv2', or 'pillow', which smooths when it shrinks and gives PIL's very bytes: torchvision's, and
            so most public code's, from which OpenCV's differ by up to 7 grey levels. Weights that were trained with it
            want it in the evaluation too, ``Resize(backend='pillow')``. Defaults to 'cv2', which is faster.

    Raises:
        ValueError: If an argument is out of range.
    """

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
        """Draw where the crop begins on a padded side: the pixels that it sees, in the crop and in the image."""
        shift = random.randint(-self.padding, self.padding)
        visible = side - abs(shift)
        start, source = max(shift, 0), max(-shift, 0)
        return slice(start, start + visible), slice(source, source + visible)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, flip_prob={self.flip_prob}, padding={self.padding}, '
            f'interpolation={self.interpolation!r}, backend={self.backend!r})'
        )
