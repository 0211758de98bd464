"""What the metrics read from the prediction of one image."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checks import whole

__all__ = ['read_prediction']


def read_prediction(sample: Mapping[str, Any], metric: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read the features and the person of one image.

    Args:
        sample: A prediction with ``image_feat`` (D,), ``text_feats`` (n, D), n >= 0, and ``person_id``.
        metric: Name of the metric, for messages.
        keys: What else it must have. Defaults to nothing.

    Returns:
        The features, on the host, and the person, an int.

    Raises:
        TypeError: If the features are no tensors of floating-point numbers or the person is no integer.
        ValueError: If something is missing, or shapes disagree.
    """
    missing = {'image_feat', 'text_feats', 'person_id', *keys} - sample.keys()
    if missing:
        raise ValueError(
            f'{metric}: a result lacks {", ".join(sorted(missing))}; the model must predict image_feat and text_feats, '
            'and the pipeline must pack the rest (PackTBPSInputs).'
        )
    image, texts = (_features(sample[name], f'{metric}: {name}') for name in ('image_feat', 'text_feats'))
    if image.dim() != 1 or texts.dim() != 2 or texts.size(1) != len(image):
        raise ValueError(
            f'{metric}: image_feat must have shape (D,) and text_feats (captions, D), got {tuple(image.shape)} and '
            f'{tuple(texts.shape)}.'
        )
    person = sample['person_id']
    person = person.item() if isinstance(person, Tensor) and person.numel() == 1 else person
    return dict(image_feat=image, text_feats=texts, person_id=whole(person, f'{metric}: person_id'))


def _features(value: Any, name: str) -> Tensor:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
        raise TypeError(f'{name} must be a tensor of floating-point numbers, got {kind}.')
    return value.detach().cpu()
