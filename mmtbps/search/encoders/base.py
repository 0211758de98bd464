"""Base class of encoders, and the fingerprint of their features."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.checks import positive
from mmtbps.core.images import ADDRESS
from mmtbps.data_configs import ConfigReader, module_to_trust
from mmtbps.datasets.tokenizers import Tokenizer
from mmtbps.evaluation.functional.checks import unit_rows
from mmtbps.registry import ENCODERS
from mmtbps.version import __version__

from .spelling import closest_word, list_suggestions

__all__ = ['Encoder', 'Fingerprint', 'ImageSource']

ImageSource = str | Path | np.ndarray
"""An image file, or an array (H, W, 3) uint8, BGR, as MMCV reads it."""


@dataclass(frozen=True)
class Fingerprint:
    """Identifies what features were computed with; features can be compared only if their fingerprints agree.

    Args:
        weights: Hash of the weights of the model's encoders.
        model: Hash of their config.
        preprocessing: Hash of what is done to images and sentences before, words of the tokenizer included.
        version: Version of the library, for information only; another version is accepted. Defaults to this one.

    Raises:
        TypeError: If one of them is no text.
    """

    weights: str
    model: str
    preprocessing: str
    version: str = __version__

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if not isinstance(value, str)]
        if wrong:
            raise TypeError(f'{wrong[0]} of a fingerprint must be a text, got {getattr(self, wrong[0])!r:.80}.')

    def differences(self, other: 'Fingerprint') -> list[str]:
        """Name the parts in which two fingerprints differ, except the version."""
        return [name for name in ('weights', 'model', 'preprocessing') if getattr(self, name) != getattr(other, name)]

    def require(self, other: 'Fingerprint', what: str) -> None:
        """Refuse features of another model.

        Args:
            other: Fingerprint of the features.
            what: Name of the features for the message.

        Raises:
            ValueError: If the fingerprints differ.
        """
        different = self.differences(other)
        if different:
            raise ValueError(
                f'{what} was made by another model: {", ".join(different)} differ (weights {other.weights[:12]} there, '
                f'{self.weights[:12]} here; mmtbps {other.version} there, {self.version} here), and features of '
                'different models cannot be compared. Use the config and checkpoint it was made with, or index again.'
            )

    def to_dict(self) -> dict[str, str]:
        """Return the parts by name, for JSON."""
        return asdict(self)


class Encoder(ABC):
    """Base class of encoders: they embed images and sentences in one space, as rows of length 1.

    A subclass sets the attributes, implements :meth:`embed_images`, :meth:`embed_texts` and :meth:`describe`, and
    registers itself in ``ENCODERS``. No other part of the search depends on models.

    Attributes:
        image_loader: Function from one image to a tensor (3, H, W), always of the same size. It runs in loader workers,
            so that it must be picklable and should not hold the model.
        preprocessing: Description of the preprocessing of images and sentences, as plain numbers, strings, lists and
            dictionaries.
        fingerprint: Fingerprint of the features.
        tokenizer: Tokenizer of the sentences, whose vocabulary tells which words are known. Defaults to None: all words
            count as known.
        data_set: Name of the data set that the model was trained on. Defaults to an empty text: unknown.
    """

    image_loader: Callable[[ImageSource], Tensor]
    preprocessing: dict[str, Any]
    fingerprint: Fingerprint
    tokenizer: Tokenizer | None = None
    data_set: str = ''

    @abstractmethod
    def embed_images(self, images: Tensor) -> Tensor:
        """Embed one batch of loaded images (N, 3, H, W) as (N, D), normalised or not."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed one batch of sentences, at least one, as (M, D), normalised or not."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return type and arguments without device, as values of JSON, from which :meth:`rebuild` builds this one."""

    @classmethod
    def rebuild(cls, description: dict[str, Any], reader: ConfigReader, device: str | torch.device | None) -> 'Encoder':
        """Build the encoder again from what a gallery says about it, which may come from a stranger.

        Args:
            description: What :meth:`describe` returned, without the type.
            reader: Checks what it says.
            device: Where the model runs.

        Raises:
            ValueError: If the description asks for more than data may.
        """
        return cls(**reader.read(description, ENCODERS, 'encoder'), device=device)  # type: ignore[call-arg]

    @property
    def modules(self) -> list[str]:
        """Modules outside the libraries that have to be imported before the encoder can be built again."""
        return sorted(module_to_trust(type(self)))

    def encode_images(self, images: Sequence[ImageSource], batch_size: int = 64) -> Tensor:
        """Load and encode images in this process.

        Args:
            images: Files or arrays.
            batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.

        Returns:
            Features (N, D), float32 on the host, rows of length 1.

        Raises:
            OSError: If an image cannot be read.
            TypeError: If an image is neither a path nor an array.
            ValueError: If there is no image, an array is not (H, W, 3) uint8, or a feature is not finite.
        """
        for number, image in enumerate(images):
            _require_image(image, number)
        return self._in_batches(
            list(images), batch_size, lambda part: self.encode_batch(torch.stack([self.image_loader(i) for i in part]))
        )

    def encode_batch(self, images: Tensor) -> Tensor:
        """Encode one batch of loaded images (N, 3, H, W) as :meth:`encode_images` does."""
        return unit_rows(self.embed_images(images), 'image features').float().cpu()

    def encode_texts(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Encode sentences.

        Args:
            texts: Sentences that are not blank.
            batch_size: Sentences per batch. Defaults to 256, since sentences are shorter than images.

        Returns:
            Features (M, D), float32 on the host, rows of length 1.

        Raises:
            TypeError: If a sentence is not a string.
            ValueError: If there is no sentence, one has no word, or a feature is not finite.
        """
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f'sentence {number} must be a string, got {type(text).__name__}.')
            if not any(letter.isalnum() for letter in text):
                raise ValueError(f'sentence {number} is {text!r}, which has no word; describe the person.')
        return self._in_batches(
            list(texts), batch_size, lambda part: unit_rows(self.embed_texts(part), 'text features').float().cpu()
        )

    def unknown_words(self, text: str) -> list[str]:
        """Words of a sentence that the model does not know, in order."""
        known = self._known_words
        return [] if known is None else [word for word in self.words_of(text) if word not in known]

    def require_known_words(self, texts: Sequence[str]) -> None:
        """Refuse sentences of which the model knows no word, since all of them have the same meaningless feature.

        Raises:
            ValueError: If there is such a sentence.
        """
        for number, text in enumerate(texts):
            if len(self.unknown_words(text)) == len(self.words_of(text)) > 0:
                raise ValueError(
                    f'sentence {number} is {text!r}, of which the model knows no word: '
                    f'{list_suggestions(self.suggestions(self.unknown_words(text)))}. Describe the person as the '
                    f'captions do that it was trained with. {self.training}'
                )

    def suggestions(self, unknown: Sequence[str]) -> dict[str, str | None]:
        """Find for each unknown word the known one that may be meant, or None."""
        vocabulary = None if self.tokenizer is None else self.tokenizer.vocabulary
        known = [word for word in (vocabulary or [])[2:] if len(word) > 1]
        return {word: closest_word(word, known) for word in dict.fromkeys(unknown)}

    @cached_property
    def _known_words(self) -> frozenset[str] | None:
        words = None if self.tokenizer is None else self.tokenizer.vocabulary
        return None if words is None else frozenset(words)

    def words_of(self, text: str) -> list[str]:
        """Words of a sentence as the tokenizer takes them; none if there is no tokenizer."""
        return [] if self.tokenizer is None else self.tokenizer.tokenize(text)

    @property
    def training(self) -> str:
        """Say in a sentence what the model was trained on, for whoever asks in other words or another language."""
        vocabulary = None if self.tokenizer is None else self.tokenizer.vocabulary
        of = f' of {self.data_set}' if self.data_set else ''
        if vocabulary is None:
            return f'The model was trained on English captions{of}.'
        return f'The model was trained on captions{of}, whose most frequent words are {", ".join(vocabulary[2:8])}.'

    @staticmethod
    def _in_batches(items: list, batch_size: int, encode: Callable[[list], Tensor]) -> Tensor:
        if not items:
            raise ValueError('There is nothing to encode: the list is empty.')
        size = positive(batch_size, 'batch_size')
        return torch.cat([encode(items[start : start + size]) for start in range(0, len(items), size)])


def _require_image(image: Any, number: int) -> None:
    if not isinstance(image, str | Path | np.ndarray):
        raise TypeError(f'image {number} must be a path or an array, got {type(image).__name__}.')
    if isinstance(image, str) and ADDRESS.match(image):
        raise ValueError(f'{image} is an address, not a file: only files of this machine are read. Download it first.')
    if isinstance(image, np.ndarray) and (image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size):
        raise ValueError(
            f'image {number} must be an array (H, W, 3) of uint8, BGR, with pixels in it; got {image.shape} of '
            f'{image.dtype}.'
        )
