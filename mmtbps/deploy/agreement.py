"""Whether two encoders agree, and what their difference costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmtbps.datasets.base import TBPSDataset
from mmtbps.evaluation.functional import rank_features
from mmtbps.search import Encoder

__all__ = ['Agreement', 'compare_encoders', 'evaluate_encoder']

# Scores nearer than this change places by rounding alone.
_TIE = 1e-5


@dataclass(frozen=True)
class Agreement:
    """How well an encoder reproduces a reference.

    Args:
        image_cosine: The least cosine of an image's two features.
        text_cosine: Likewise of a sentence's.
        same_order: Share of the sentences for which both rank the same images first.
        topk: How many images were looked at.
    """

    image_cosine: float
    text_cosine: float
    same_order: float
    topk: int

    def __str__(self) -> str:
        return (
            f'cosine to torch at least {self.image_cosine:.6f} (images) and {self.text_cosine:.6f} (sentences), '
            f'same top-{self.topk} for {self.same_order:.0%}'
        )


def compare_encoders(
    reference: Encoder,
    other: Encoder,
    images: Sequence[np.ndarray],
    sentences: Sequence[str],
    topk: int = 10,
    batch_size: int = 24,
) -> Agreement:
    """Compare what two encoders make of the same images and sentences.

    Args:
        reference: The one that is right.
        other: The one to judge.
        images: Pictures (H, W, 3) uint8, BGR.
        sentences: Any number of sentences.
        topk: How many images are to be found in the same order; images whose scores differ by less than 1e-5 may
            change places. Defaults to 10.
        batch_size: Images or sentences at a time. Defaults to 24, so that 64 make batches of two sizes.

    Returns:
        The agreement.
    """
    right_images, found_images = (encoder.encode_images(images, batch_size) for encoder in (reference, other))
    right_texts, found_texts = (encoder.encode_texts(sentences, batch_size) for encoder in (reference, other))
    return Agreement(
        float((right_images * found_images).sum(1).min()),
        float((right_texts * found_texts).sum(1).min()),
        _same_order(right_texts @ right_images.T, found_texts @ found_images.T, topk),
        topk,
    )


def _same_order(right: Tensor, found: Tensor, topk: int) -> float:
    """Share of rows whose largest numbers stand in the same columns, ties aside."""
    best = right.topk(min(topk, right.shape[1])).values
    chosen = right.gather(1, found.topk(best.shape[1]).indices)
    return float(((best - chosen).abs() < _TIE).all(1).float().mean())


def evaluate_encoder(encoder: Encoder, dataset: TBPSDataset, batch_size: int = 64) -> dict[str, float]:
    """Rank a data set's images for its captions.

    Args:
        encoder: Any encoder.
        dataset: In ``test_mode``; its own pipeline is not used.
        batch_size: Images at a time. Defaults to 64.

    Returns:
        R@1, R@5, R@10, mAP and mINP from text to image, in percent.
    """
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    images = encoder.encode_images([item['img_path'] for item in items], batch_size)
    texts = encoder.encode_texts([caption for item in items for caption in item['captions']])
    text_pids = [item['person_id'] for item in items for _ in item['captions']]
    return rank_features(texts, text_pids, images, [item['person_id'] for item in items])
