"""From collated items to batches on the device."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import finite
from mmtbps.datasets.transforms.tokens import IGNORED
from mmtbps.registry import MODELS

__all__ = ['TBPSDataPreprocessor', 'pad_tokens']


def pad_tokens(captions: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Pad token ids of captions to the longest.

    Args:
        captions (Sequence[Sequence[int]]): Token ids of M captions, each with at least one.
        pad_id (int): Id behind the end of shorter captions. Defaults to 0.

    Returns:
        tuple[Tensor, Tensor]: Token ids, shape (M, L), and lengths, shape (M,), both int64 on the CPU. L is 0 if there
        are no captions.

    Raises:
        ValueError: If a caption has no token.

    Example:
        >>> pad_tokens([[5, 6, 7], [8]])
        (tensor([[5, 6, 7],
                [8, 0, 0]]), tensor([3, 1]))
    """
    lengths = torch.tensor([len(caption) for caption in captions], dtype=torch.int64)
    if (lengths == 0).any():
        raise ValueError(
            f'Caption {lengths.tolist().index(0)} of the batch has no token. A tokenizer must encode every text, even '
            "'', as at least one id, such as that of '<unk>'."
        )
    tokens = torch.full((len(captions), int(lengths.max()) if len(captions) else 0), pad_id)
    tokens[torch.arange(tokens.shape[1]) < lengths[:, None]] = torch.tensor(list(chain(*captions)), dtype=torch.int64)
    return tokens, lengths


@MODELS.register_module()
class TBPSDataPreprocessor(BaseDataPreprocessor):
    r"""Batch images and captions, move them to the device and normalise the images there.

    Takes what MMEngine's ``pseudo_collate`` or ``default_collate`` make of items packed by
    :class:`~mmtbps.datasets.PackTBPSInputs`. Returns, with N images and M captions in the batch::

        dict(
            inputs=dict(
                images=Tensor,            # (N, 3, H, W), float32
                tokens=Tensor,            # (M, L), int64, padded with pad_id
                lengths=Tensor,           # (M,), int64, on the CPU
                captions_per_image=list,  # N ints that add up to M; 1 each in training
            ),
            data_samples=list,            # N data samples
        )

    Items with named views add ``inputs['views']``, a dict by name: of images ``dict(images=...)``, of captions
    ``dict(tokens=..., lengths=...)``, and what sequences of numbers stand beside them, such as ``labels`` (N, L),
    padded with ``IGNORED``, -100, which torch's cross-entropy leaves out.

    ``lengths`` stay on the host, where the models need them: asking the device for them would wait for it in every
    step.

    Images become :math:`(x - \mathrm{mean}) / \mathrm{std}` per channel; a rectangle drawn by
    :class:`~mmtbps.datasets.RandomErasingBox` is filled with ``erase_value`` after that.

    Args:
        mean (Sequence[float]): Mean of the channels, in the order that the model reads them (RGB unless ``to_rgb`` is
            off), on the scale 0 .. 255.
        std (Sequence[float]): Standard deviation, likewise.
        to_rgb (bool): Whether to turn the loaded BGR into RGB, which pretrained models expect. Defaults to True.
        pad_id (int): Id that pads captions, the tokenizer's ``pad_id``. Defaults to 0.
        channels_last (bool): Whether images are laid out in ``torch.channels_last``, which convolutions in half
            precision are faster with on GPUs. Defaults to False.
        erase_value (Sequence[float], optional): What erased pixels hold in the *normalised* image. Defaults to None:
            ``mean / 255``, as in the training of `Text-Based Person Search with Limited Data
            <https://arxiv.org/abs/2110.10807>`_.
        non_blocking (bool): Whether moving to the device may overlap with computing; needs pinned memory
            (``pin_memory=True`` of the data loader, and ``default_collate``). Defaults to False.

    Raises:
        ValueError: If ``mean``, ``std`` or ``erase_value`` have not three numbers, or ``std`` is not positive.
    """

    @checked(mean=finite, std=finite, erase_value=finite)
    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        to_rgb: bool = True,
        pad_id: int = 0,
        channels_last: bool = False,
        erase_value: Sequence[float] | None = None,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if erase_value is None:
            erase_value = [value / 255 for value in mean]
        for name, values in (('mean', mean), ('std', std), ('erase_value', erase_value)):
            if len(values) != 3:
                raise ValueError(f'{name} must be three numbers, one per channel, but got {values}.')
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(3, 1, 1), persistent=False)
        if min(std) <= 0:
            raise ValueError(f'std must be positive, but got {std}.')
        self.to_rgb = to_rgb
        self.pad_id = pad_id
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data (dict): Collated items: ``inputs`` with ``image``, and ``data_samples``.
            training (bool): Not used: augmentation comes with the items. Defaults to False.

        Returns:
            dict: ``inputs`` and ``data_samples``, as described above.

        Raises:
            ValueError: If the images of the batch differ in size, or its items in their views.
        """
        samples = self.cast_data(data['data_samples'])
        tokens, lengths = pad_tokens([caption for sample in samples for caption in sample.tokens], self.pad_id)
        boxes = [sample.get('erased') for sample in samples]
        inputs: dict[str, Any] = {
            'images': self._normalize(self._stack(data['inputs']['image']), boxes),
            'tokens': self.cast_data(tokens),
            'lengths': lengths,
            'captions_per_image': [len(sample.tokens) for sample in samples],
        }
        views = self._views(data['inputs'].get('views', {}), [sample.get('views', {}) for sample in samples])
        if views:
            inputs['views'] = views
        return {'inputs': inputs, 'data_samples': samples}

    def _views(self, images: Mapping[str, Any], views: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Batch the named views of the items: their images, and what else each view has."""
        if any(view.keys() != views[0].keys() for view in views):
            raise ValueError(f'All items of a batch must have the same views, but got {[sorted(v) for v in views]}.')
        batched = {}
        for name in views[0]:
            parts = [view[name] for view in views]
            batched[name] = self._sequences(name, parts)
            if name in images:
                boxes = [part.get('erased') for part in parts]
                batched[name]['images'] = self._normalize(self._stack(images[name]), boxes)
        return batched

    def _sequences(self, name: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Pad the sequences of one view: its caption, and others with what a loss ignores."""
        result = {}
        for key in parts[0]:
            if key == 'erased':
                continue
            rows = [part[key] for part in parts]
            if any(not row or not all(isinstance(value, int) for value in row) for row in rows):
                raise ValueError(
                    f'{key!r} of the view {name!r} must be a list of integers, at least one, in each item.'
                )
            padded, lengths = pad_tokens(rows, self.pad_id if key == 'tokens' else IGNORED)
            result[key] = self.cast_data(padded)
            if key == 'tokens':
                result['lengths'] = lengths
        return result

    @staticmethod
    def _stack(images: Tensor | Sequence[Tensor]) -> Tensor:
        """Stack images on the host, unless they come stacked."""
        if isinstance(images, Tensor):
            return images
        sizes = {tuple(image.shape[1:]) for image in images}
        if len(sizes) > 1:
            raise ValueError(f'The images of a batch must have one size, but got {sorted(sizes)}. Resize them first.')
        return torch.stack(list(images))

    def _normalize(self, images: Tensor, boxes: Sequence[tuple[int, int, int, int] | None]) -> Tensor:
        """Move bytes to the device, normalise them there and fill erased rectangles."""
        images = self.cast_data(images)
        if self.to_rgb:
            images = images.flip(1)
        images = images.to(torch.float32, memory_format=self.memory_format).sub_(self.mean).div_(self.std)
        for image, box in zip(images, boxes, strict=True):
            if box is not None:
                top, left, height, width = box
                image[:, top : top + height, left : left + width] = self.erase_value
        return images
