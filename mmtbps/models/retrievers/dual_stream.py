"""Baseline retriever: one stream per modality."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.model import BaseModel, ModuleDict
from mmengine.structures import BaseDataElement
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.core.precision import promote
from mmtbps.registry import MODELS

from ..heads import BaseHead
from ..structures import NamedViews, PairEmbeddings, TokenFeatures, ViewEmbeddings
from .chunks import in_chunks, refuse_batch_norm
from .self_teacher import SelfTeacher

__all__ = ['DualStreamRetriever']


def pooled(features: Tensor | TokenFeatures) -> Tensor:
    """The one feature per item of what a stream gives."""
    return features if isinstance(features, Tensor) else features.pooled


def _build(config: dict | None) -> nn.Module:
    return nn.Identity() if config is None else MODELS.build(config)


def _fields_of_samples(samples: list[DataSample], device: torch.device) -> dict[str, Tensor]:
    """Identities of the samples, (N,), and their places in the data set where known."""
    if not all('person_id' in sample for sample in samples):
        raise ValueError('training needs the person_id of every data sample; let PackTBPSInputs pack it')
    names = {'person_ids': 'person_id', 'indices': 'sample_idx'}
    return {
        name: torch.tensor([sample.get(key) for sample in samples], device=device)
        for name, key in names.items()
        if all(key in sample for sample in samples)
    }


@MODELS.register_module()
class DualStreamRetriever(BaseModel):
    """Embed images and captions separately in one space; heads turn the embeddings of a batch into losses.

    Args:
        image_stream: Config of a module from images (N, 3, H, W) to features (N, C).
        text_stream: Config of a module from tokens (M, L) and lengths (M,) to features (M, C).
        image_projection: Config of the module from image features to embeddings (N, D); None if the features are the
            embeddings, as those of CLIP.
        text_projection: Config of the module from text features to embeddings (M, D), or None likewise.
        heads: Configs of the heads by name. Their losses are added; the names are the prefixes of the losses in logs.
        temperatures: Configs of :class:`~mmtbps.models.Temperature` by name, each shared by all heads that name it as
            their ``temperature``.
        data_preprocessor: Config of the preprocessor that turns data items into batches; None takes
            ``TBPSDataPreprocessor`` with its defaults.
        chunk_size: Number of pairs that are in memory at a time in training. The streams then run over the batch in
            chunks of this size, twice, see :func:`in_chunks`; losses and gradients are those of the whole batch, in
            whose pairs in-batch contrast finds its negatives, while ``accumulative_counts`` of MMEngine makes small
            batches of it. Streams with batch norm are refused. Defaults to None: all pairs at once.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If a head needs what this retriever does not give, or names a temperature that is not there.
    """

    encoders = ('image_stream', 'text_stream', 'image_projection', 'text_projection')
    """The parts whose weights retrieval needs; heads and the like serve training alone."""
    provides: tuple[str, ...] = ('image', 'text', 'person_ids', 'indices', 'tokens', 'views', 'teacher')
    """What heads may need; a retriever that adds a field to the pairs adds its name here."""

    @checked(chunk_size=positive)
    def __init__(
        self,
        image_stream: dict,
        text_stream: dict,
        image_projection: dict | None,
        text_projection: dict | None,
        heads: dict[str, dict],
        temperatures: dict[str, dict] | None = None,
        data_preprocessor: dict | None = None,
        chunk_size: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        preprocessor = data_preprocessor or {'type': 'TBPSDataPreprocessor'}
        # Built here, since BaseModel would look in MMEngine's registry, which does not know ours.
        super().__init__(data_preprocessor=MODELS.build(preprocessor), init_cfg=init_cfg)
        self.image_stream = MODELS.build(image_stream)
        self.text_stream = MODELS.build(text_stream)
        self.image_projection = _build(image_projection)
        self.text_projection = _build(text_projection)
        self.heads = ModuleDict({name: MODELS.build(head) for name, head in heads.items()})
        self.temperatures = ModuleDict(
            {name: MODELS.build({'type': 'Temperature', **config}) for name, config in (temperatures or {}).items()}
        )
        self._wanted = self._connect_heads()
        self._teacher = SelfTeacher()
        self.chunk_size = chunk_size
        if chunk_size is not None:
            refuse_batch_norm(self.image_stream, 'image_stream')
            refuse_batch_norm(self.text_stream, 'text_stream')
        self.latest_pairs: PairEmbeddings | None = None

    def _connect_heads(self) -> set[str]:
        """Give the heads the temperatures that they share; returns all names that they need."""
        wanted = set()
        for name, head in self.heads.items():
            if isinstance(head, BaseHead):
                head.share(dict(self.temperatures.items()))
            for need in getattr(head, 'needs', ()):
                if need.split('.')[0] not in self.provides:
                    raise ValueError(
                        f'heads.{name}: {type(head).__name__} needs {need!r}, which {type(self).__name__} does not '
                        f'give, only {", ".join(self.provides)}; take a retriever that does'
                    )
                wanted.add(need)
        used = {id(getattr(head, 'temperature', None)) for head in self.heads.values()}
        idle = [name for name, temperature in self.temperatures.items() if id(temperature) not in used]
        if idle:
            raise ValueError(f'temperatures: no head names {", ".join(idle)} as its temperature; leave it out')
        return wanted

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

    def embed_pairs(self, inputs: dict[str, Any], person_ids: Tensor, **fields: Any) -> PairEmbeddings:
        """Embed a training batch for the heads.

        Args:
            inputs: See :meth:`forward`; one caption per image. ``views`` may have more images or captions by name.
            person_ids: Identities, (N,).
            fields: Further fields of the structure.

        Returns:
            What the heads turn into losses.
        """
        image, text = self._stream_features(inputs)
        pairs = self._pair_embeddings(inputs, image, text, person_ids=person_ids, **fields)
        self._watch(pairs)
        return pairs

    def _watch(self, pairs: PairEmbeddings) -> None:
        """Keep what hooks look at after a training step; without tokens and views, which are large."""
        if self.training:
            watched = {name: pairs.get(name) for name in ('image', 'text', 'person_ids', 'contrast') if name in pairs}
            self.latest_pairs = PairEmbeddings(**watched).detach()

    def _stream_features(self, inputs: dict[str, Any]) -> tuple[Tensor | TokenFeatures, Tensor | TokenFeatures]:
        """Run both streams, with all positions as far as a head needs them."""
        image = self._run('image', inputs['images'], **self._request('tokens.image'))
        return image, self._run('text', inputs['tokens'], inputs['lengths'], **self._request('tokens.text'))

    def _run(self, modality: str, *inputs: Tensor, **request: bool) -> Tensor | TokenFeatures:
        """Run a stream, in chunks if the batch is large."""
        stream = self.image_stream if modality == 'image' else self.text_stream
        with self._teacher.watch(modality, inputs[0].device) if 'teacher' in self._wanted else nullcontext():
            return in_chunks(stream, self.chunk_size, *inputs, **request)

    def _request(self, name: str) -> dict[str, bool]:
        """What to ask a stream for; nothing, if no head needs the tokens of this name."""
        attention = f'{name}.attention' in self._wanted
        return dict(with_tokens=True, with_attention=attention) if attention or name in self._wanted else {}

    def _pair_embeddings(
        self, inputs: dict[str, Any], image: Tensor | TokenFeatures, text: Tensor | TokenFeatures, **fields: Any
    ) -> PairEmbeddings:
        """Project the features of the streams, and embed the views."""
        pairs = PairEmbeddings(
            image=promote(self.image_projection(pooled(image))),
            text=promote(self.text_projection(pooled(text))),
            **fields,
        )
        tokens = {name: item for name, item in (('image', image), ('text', text)) if not isinstance(item, Tensor)}
        if tokens:
            pairs.tokens = BaseDataElement(**tokens)
        if 'teacher' in self._wanted:
            text_inputs = (inputs['tokens'], inputs['lengths'])
            pairs.teacher = BaseDataElement(
                image=self._teacher.answer('image', pairs.image, self.encode_image, inputs['images']),
                text=self._teacher.answer('text', pairs.text, self.encode_text, *text_inputs),
            )
        views = {name: view for name, view in (inputs.get('views') or {}).items() if self._wants_view(name)}
        if views:
            pairs.views = NamedViews(**{name: self._embed_view(view, f'views.{name}') for name, view in views.items()})
        return pairs

    def _wants_view(self, name: str) -> bool:
        """Whether a head names the view, or all of them; others would be embedded for nothing."""
        return any(need == 'views' or f'{need}.'.startswith(f'views.{name}.') for need in self._wanted)

    def _embed_view(self, view: Mapping[str, Any], path: str) -> ViewEmbeddings:
        """Embed the image or the caption of a view; what else it has is handed on."""
        inputs = ('images', 'tokens', 'lengths')
        result = ViewEmbeddings(**{name: value for name, value in view.items() if name not in inputs})
        request = self._request(f'{path}.tokens')
        given: tuple[Any, ...]
        encode: Callable[..., Tensor]
        if 'images' in view:
            kind, given, encode = 'image', (view['images'],), self.encode_image
        elif 'tokens' in view:
            kind, given, encode = 'text', (view['tokens'], view['lengths']), self.encode_text
        else:
            return result
        features = self._run(kind, *given, **request)
        projection = self.image_projection if kind == 'image' else self.text_projection
        embedding = promote(projection(pooled(features)))
        result.set_field(embedding, kind)
        if f'{path}.teacher' in self._wanted:
            result.teacher = self._teacher.answer(kind, embedding, encode, *given)
        if request:
            result.tokens = features
        return result

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
        pairs = self.pairs_of(inputs, data_samples)
        return {f'{name}.{key}': value for name, head in self.heads.items() for key, value in head.loss(pairs).items()}

    def pairs_of(self, inputs: dict[str, Any], data_samples: list[DataSample]) -> PairEmbeddings:
        """Embed a batch of pairs with what is known of them, as heads read it.

        Args:
            inputs: See :meth:`forward`; one caption per image.
            data_samples: One per image, with ``person_id``.

        Returns:
            The pairs.

        Raises:
            ValueError: If the numbers of images, captions and samples differ.
        """
        images, tokens = inputs['images'], inputs['tokens']
        if not len(images) == len(tokens) == len(data_samples):
            raise ValueError(
                f'training takes one caption and one data sample per image, got {len(images)} images, {len(tokens)} '
                f'captions and {len(data_samples)} samples; use a data set with test_mode=False'
            )
        return self.embed_pairs(inputs, **_fields_of_samples(data_samples, images.device))

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
