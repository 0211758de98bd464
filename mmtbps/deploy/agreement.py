"""Comparison of two encoders: agreement of their features, and retrieval metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmtbps.datasets.base import TBPSDataset
from mmtbps.evaluation.functional import rank_features
from mmtbps.search import Encoder

__all__ = ['Agreement', 'compare_encoders', 'compare_features', 'evaluate_encoder']

# Scores that differ by less than this may swap ranks by rounding.
_TIE = 1e-5


@dataclass(frozen=True)
class Agreement:
    """How well an encoder reproduces a reference.

    Args:
        image_cosine: Lowest cosine of the two features of an image.
        text_cosine: Lowest cosine of the two features of a sentence.
        same_order: Share of the sentences with the same ``topk`` images in the same order.
        topk: Number of images compared per sentence.
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
    """Compare the features of two encoders for the same images and sentences.

    Args:
        reference: The reference.
        other: The encoder to compare with it.
        images: Arrays (H, W, 3) uint8, BGR.
        sentences: Any number of sentences.
        topk: Number of images per sentence that must have the same order; images whose scores differ by less than 1e-5
            may swap. Defaults to 10.
        batch_size: Images or sentences per batch. Defaults to 24, so that 64 samples give batches of two sizes.

    Returns:
        The agreement.
    """
    expected, found = (
        (encoder.encode_images(images, batch_size), encoder.encode_texts(sentences, batch_size))
        for encoder in (reference, other)
    )
    return compare_features(expected, found, topk)


def compare_features(expected: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor], topk: int = 10) -> Agreement:
    """Compare unit features of images (N, D) and sentences (M, D) with those of a reference.

    Args:
        expected: Features of the images and of the sentences by the reference.
        found: The same by another encoder.
        topk: See :func:`compare_encoders`.

    Returns:
        The agreement.
    """
    (expected_images, expected_texts), (found_images, found_texts) = expected, found
    return Agreement(
        float((expected_images * found_images).sum(1).min()),
        float((expected_texts * found_texts).sum(1).min()),
        _same_order(expected_texts @ expected_images.T, found_texts @ found_images.T, topk),
        topk,
    )


def _same_order(expected: Tensor, found: Tensor, topk: int) -> float:
    """Share of rows whose ``topk`` largest numbers are in the same columns, up to ties."""
    best = expected.topk(min(topk, expected.shape[1])).values
    chosen = expected.gather(1, found.topk(best.shape[1]).indices)
    return float(((best - chosen).abs() < _TIE).all(1).float().mean())


def evaluate_encoder(encoder: Encoder, dataset: TBPSDataset, batch_size: int = 64) -> dict[str, float]:
    """Rank the images of a data set for its captions.

    Args:
        encoder: Any encoder.
        dataset: A data set in ``test_mode``; its pipeline is not used.
        batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.

    Returns:
        R@1, R@5, R@10, mAP and mINP from text to image, in percent.
    """
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    images = encoder.encode_images([item['img_path'] for item in items], batch_size)
    texts = encoder.encode_texts([caption for item in items for caption in item['captions']])
    text_pids = [item['person_id'] for item in items for _ in item['captions']]
    return rank_features(texts, text_pids, images, [item['person_id'] for item in items])
