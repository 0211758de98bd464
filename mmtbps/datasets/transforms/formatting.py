"""Tokenisation of captions, and packing of items for the data loader."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.structures import DataSample

from mmtbps.core.arguments import checked
from mmtbps.registry import TRANSFORMS

__all__ = ['PackTBPSInputs', 'TokenizeCaption']


@TRANSFORMS.register_module()
class TokenizeCaption(BaseTransform):
    """Convert the captions of an item to token ids with the data set's tokenizer.

    **Required Keys:**

    - tokenizer (Tokenizer): added by the data set
    - caption (str) in training, or captions (list[str]) in evaluation

    **Added Keys:**

    - tokens (list[list[int]]): one list of ids per caption
    - captions (list[str]): in training, the caption as a list

    Raises:
        ValueError: If the tokenizer or the captions are missing.
    """

    def transform(self, results: dict) -> dict:
        """Tokenize ``results['caption']`` or ``results['captions']``."""
        if 'tokenizer' not in results:
            raise ValueError("TokenizeCaption needs results['tokenizer']; TBPSDataset puts its tokenizer there.")
        if 'caption' in results:
            results['captions'] = [results['caption']]
        elif 'captions' not in results:
            raise ValueError(
                "TokenizeCaption needs 'caption' (training) or 'captions' (evaluation, may be empty) in the results, "
                f'but found only {sorted(results)}.'
            )
        encode = results['tokenizer'].encode
        results['tokens'] = [encode(caption) for caption in results['captions']]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _to_tensor(image: np.ndarray) -> torch.Tensor:
    """Convert an image (H, W, 3) to a tensor (3, H, W)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'The image must be uint8 of shape (H, W, 3), but is {image.dtype} of shape {image.shape}. Load it '
            'with LoadPersonImage, and leave normalisation to the data preprocessor.'
        )
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


@TRANSFORMS.register_module()
class PackTBPSInputs(BaseTransform):
    """Pack an item for :class:`~mmtbps.models.TBPSDataPreprocessor`.

    Images stay uint8, BGR, as loaded: a quarter of the bytes to copy, and normalised on the device. Token ids are part
    of the data sample, since collate functions do not stack lists of different lengths. Items therefore work with
    MMEngine's ``pseudo_collate`` and with ``default_collate``, which stacks the images in the worker; use the latter
    with workers, where each single tensor needs a shared memory segment of its own.

    **Required Keys:**

    - img (np.ndarray): shape (H, W, 3), uint8
    - the keys below, as far as they exist

    **Deleted Keys:**

    - all

    **Added Keys:**

    - inputs (dict): ``image`` (torch.Tensor), shape (3, H, W), uint8
    - data_samples (mmpretrain.structures.DataSample): fields ``tokens`` (list[list[int]], empty for an image without
      captions) and, if known, ``person_id`` (int), ``image_id`` (int), ``sample_idx`` (int), ``erased`` (tuple),
      ``data_set`` (str, of several that are joined);
      ``meta_keys`` as metainfo

    A transform may add *named views*: further images or captions of the item, ``results['views'][name] = dict(...)``
    with ``img`` and perhaps ``erased``, or with ``tokens`` (list[int]) and perhaps sequences of numbers beside them,
    such as ``labels``. Images go to ``inputs['views'][name]``, the rest to the field ``views`` of the data sample.

    Args:
        meta_keys: Keys to keep as metainfo. Defaults to ('img_path', 'captions', 'ori_shape', 'img_shape'), what
            metrics and pictures need.

    Raises:
        ValueError: If the image is not uint8 with three channels.
    """

    data_keys = ('person_id', 'image_id', 'sample_idx', 'erased', 'data_set')

    @checked()
    def __init__(self, meta_keys: Sequence[str] = ('img_path', 'captions', 'ori_shape', 'img_shape')) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack the results."""
        inputs: dict[str, Any] = {'image': _to_tensor(results['img'])}
        sample = DataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results},
            tokens=results.get('tokens', []),
            **{key: results[key] for key in self.data_keys if key in results},
        )
        views = results.get('views', {})
        images = {name: _to_tensor(view['img']) for name, view in views.items() if 'img' in view}
        if images:
            inputs['views'] = images
        if views:
            rest = {name: {k: v for k, v in view.items() if k != 'img'} for name, view in views.items()}
            sample.set_field(rest, 'views')
        return {'inputs': inputs, 'data_samples': sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'
