"""Baseline retriever: one stream per modality."""

from typing import Any

import torch
from mmengine.model import BaseModel, ModuleDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmtbps.core.precision import promote
from mmtbps.registry import MODELS

from ..structures import PairEmbeddings

__all__ = ['DualStreamRetriever']


def _person_ids(samples: list[DataSample], device: torch.device) -> Tensor:
    """Identities of the samples, (N,)."""
    return torch.tensor([sample.person_id for sample in samples], device=device)


@MODELS.register_module()
class DualStreamRetriever(BaseModel):
    """Embed images and captions separately in one space; heads turn the embeddings of a batch into losses.

    Args:
        image_stream: Config of a module from images (N, 3, H, W) to features (N, C).
        text_stream: Config of a module from tokens (M, L) and lengths (M,) to features (M, C).
        image_projection: Config of the module from image features to embeddings (N, D).
        text_projection: Config of the module from text features to embeddings (M, D).
        heads: Configs of the heads by name. Their losses are added; the names are the prefixes of the losses in logs.
        data_preprocessor: Config of the preprocessor that turns data items into batches; None takes
            ``TBPSDataPreprocessor`` with its defaults.
        init_cfg: MMEngine's initialisation config.
    """

    encoders = ('image_stream', 'text_stream', 'image_projection', 'text_projection')
    """The parts whose weights retrieval needs; heads and the like serve training alone."""

    def __init__(
        self,
        image_stream: dict,
        text_stream: dict,
        image_projection: dict,
        text_projection: dict,
        heads: dict[str, dict],
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        preprocessor = data_preprocessor or {'type': 'TBPSDataPreprocessor'}
        # Built here, since BaseModel would look in MMEngine's registry, which does not know ours.
        super().__init__(data_preprocessor=MODELS.build(preprocessor), init_cfg=init_cfg)
        self.image_stream = MODELS.build(image_stream)
        self.text_stream = MODELS.build(text_stream)
        self.image_projection = MODELS.build(image_projection)
        self.text_projection = MODELS.build(text_projection)
        self.heads = ModuleDict({name: MODELS.build(head) for name, head in heads.items()})

    def forward(
        self, inputs: dict[str, Any], data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ) -> tuple[Tensor, Tensor] | dict[str, Tensor] | list[DataSample]:
        """Run the model in one of MMEngine's three modes.

        Args:
            inputs: ``images`` (N, 3, H, W), ``tokens`` (M, L), ``lengths`` (M,) and ``captions_per_image``, N numbers
                whose sum is M.
            data_samples: One per image.
            mode: ``'tensor'`` for the embeddings (N, D) and (M, D), ``'loss'`` or ``'predict'``.

        Returns:
            According to the mode: the embeddings, :meth:`loss` or :meth:`predict`.

        Raises:
            ValueError: If the mode is none of the three.
        """
        if mode == 'tensor':
            return self.encode_image(inputs['images']), self.encode_text(inputs['tokens'], inputs['lengths'])
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")

    def encode_image(self, images: Tensor) -> Tensor:
        """Embed images (N, 3, H, W) as (N, D), not normalised, in at least single precision."""
        return promote(self.image_projection(self.image_stream(images)))

    def encode_text(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Embed captions, tokens (M, L) and lengths (M,), as (M, D), not normalised, in at least single precision."""
        return promote(self.text_projection(self.text_stream(tokens, lengths)))

    def embed_pairs(self, inputs: dict[str, Any], person_ids: Tensor) -> PairEmbeddings:
        """Embed a training batch for the heads.

        Args:
            inputs: See :meth:`forward`; one caption per image.
            person_ids: Identities, (N,).

        Returns:
            What the heads turn into losses.
        """
        image = self.encode_image(inputs['images'])
        return PairEmbeddings(image, self.encode_text(inputs['tokens'], inputs['lengths']), person_ids)

    def loss(self, inputs: dict[str, Any], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the losses of all heads. It may be called any number of times and moves no weight.

        Args:
            inputs: See :meth:`forward`; one caption per image.
            data_samples: One per image, with ``person_id``.

        Returns:
            Scalars named ``head.loss...``.

        Raises:
            ValueError: If the numbers of images, captions and samples differ.
        """
        images, tokens = inputs['images'], inputs['tokens']
        if not len(images) == len(tokens) == len(data_samples):
            raise ValueError(
                f'training takes one caption and one data sample per image, got {len(images)} images, {len(tokens)} '
                f'captions and {len(data_samples)} samples; use a data set with test_mode=False'
            )
        pairs = self.embed_pairs(inputs, _person_ids(data_samples, images.device))
        return {f'{name}.{key}': value for name, head in self.heads.items() for key, value in head.loss(pairs).items()}

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the streams, which do nearly all the work of a training step, each for itself and in place.

        What depends on the lengths of captions is thus apart from the images, and compiled twice: for the first length
        and for all others. :meth:`predict` stays eager: its batches have many sizes.

        Args:
            *args: See :func:`torch.compile`.
            **kwargs: See :func:`torch.compile`.
        """
        for stream in self._streams():
            stream.compile(*args, **kwargs)

    def _streams(self) -> list[nn.Module]:
        return [self.image_stream, self.text_stream]

    @torch.compiler.set_stance('force_eager')
    def predict(self, inputs: dict[str, Any], data_samples: list[DataSample] | None = None) -> list[DataSample]:
        """Embed images and their captions.

        Args:
            inputs: See :meth:`forward`; any number of captions per image, also none.
            data_samples: One per image; made when missing.

        Returns:
            The samples with ``image_feat`` (D,) and ``text_feats`` (number of captions, D), neither normalised.
        """
        image_feats = self.encode_image(inputs['images'])
        tokens = inputs['tokens']
        # A recurrence over no captions at all is an error in torch.
        text_feats = self.encode_text(tokens, inputs['lengths']) if len(tokens) else image_feats[:0]
        samples = data_samples or [DataSample() for _ in image_feats]
        for sample, image_feat, feats in zip(
            samples, image_feats, text_feats.split(inputs['captions_per_image']), strict=True
        ):
            sample.set_field(image_feat, 'image_feat')
            sample.set_field(feats, 'text_feats')
        return samples
