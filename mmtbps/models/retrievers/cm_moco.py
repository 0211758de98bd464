"""Cross-modal momentum contrast."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.model import ModuleDict, kaiming_init
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.core.precision import promote
from mmtbps.registry import MODELS

from ..heads import ContrastiveHead
from ..structures import ContrastEmbeddings, PairEmbeddings
from .dual_stream import DualStreamRetriever, pooled

__all__ = ['CMMoCoRetriever']


@MODELS.register_module()
class CMMoCoRetriever(DualStreamRetriever):
    """Dual-stream retriever with momentum key encoders and queues (CM-MoCo; Han et al., BMVC 2021, Sec. 3.2).

    The key encoders are copies of the query streams that follow them, ``theta_k <- m theta_k + (1 - m) theta_q``,
    without gradient and with running statistics of their own. State moves by named calls only, which two hooks make:
    :meth:`update_key_encoders` before an iteration (``MomentumUpdateHook``), ``queue.commit()`` after it
    (``QueueUpdateHook``). :meth:`loss` moves neither and may be called any number of times.

    Args:
        *args: See :class:`DualStreamRetriever`. One of the heads is a ``ContrastiveHead``.
        queue: Config of the :class:`~mmtbps.models.CrossModalQueue`.
        momentum: m at the start. The published 0.999 suits tens of thousands of steps; few steps want less.
        contrastive_neck: None as published: the contrastive queries are the linear embeddings, and the keys go through
            the query's projections. Or the configs of two separate projections, ``image`` and ``text``, for the
            contrastive branch alone, which then have momentum copies too.
        published_init: Reproduce a fault of the public code: all linear layers of the streams, those of a pretrained
            attention pool included, start anew, Kaiming-normal (fan-out) with bias 0, and they and the contrastive
            projections are drawn separately for queries and keys. By default pretrained weights stay and keys start as
            copies.
        **kwargs: See :class:`DualStreamRetriever`.

    Raises:
        ValueError: If the momentum is no fraction, no head is a ``ContrastiveHead`` or ``contrastive_neck`` is no pair.
    """

    provides = (*DualStreamRetriever.provides, 'contrast')

    @checked(momentum=in_unit)
    def __init__(
        self,
        *args: Any,
        queue: dict,
        momentum: float = 0.999,
        contrastive_neck: dict[str, dict] | None = None,
        published_init: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not any(isinstance(head, ContrastiveHead) for head in self.heads.values()):
            raise ValueError(
                f'CMMoCoRetriever: no ContrastiveHead among the heads {list(self.heads)}; add one, or take '
                'DualStreamRetriever'
            )
        if contrastive_neck is not None and set(contrastive_neck) != {'image', 'text'}:
            raise ValueError(
                "CMMoCoRetriever: contrastive_neck needs the configs 'image' and 'text', got "
                f'{sorted(contrastive_neck)}'
            )
        self.momentum = momentum
        self.published_init = published_init
        self.queue = MODELS.build({'type': 'CrossModalQueue', **queue})
        self.contrastive_neck = ModuleDict(
            {name: MODELS.build(neck) for name, neck in (contrastive_neck or {}).items()}
        )
        names = ('image_stream', 'text_stream', 'contrastive_neck')
        self.key_encoders = nn.ModuleDict({name: copy.deepcopy(getattr(self, name)) for name in names})
        self.key_encoders.requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise the queries as their configs say, then the keys as copies."""
        again = self.is_init
        super().init_weights()
        if again:
            return
        for query, key in self._query_key_modules():
            key.load_state_dict(query.state_dict())
            if self.published_init:
                for module in (*query.modules(), *key.modules()):
                    if isinstance(module, nn.Linear):
                        kaiming_init(module, mode='fan_out', distribution='normal', bias=0)

    @torch.no_grad()
    def update_key_encoders(self, momentum: float | None = None) -> None:
        """Move every parameter of the key encoders, and no buffer, towards the queries.

        Args:
            momentum: m in ``theta_k <- m theta_k + (1 - m) theta_q``; None takes the model's.
        """
        momentum = self.momentum if momentum is None else momentum
        groups: dict[tuple, tuple[list[Tensor], list[Tensor]]] = {}
        for query, key in self._query_key_modules():
            for source, target in zip(query.parameters(), key.parameters(), strict=True):
                sources, targets = groups.setdefault((target.device, target.dtype), ([], []))
                sources.append(source)
                targets.append(target)
        for sources, targets in groups.values():
            torch._foreach_lerp_(targets, sources, 1 - momentum)

    def embed_pairs(self, inputs: dict[str, Any], person_ids: Tensor, **fields: Any) -> PairEmbeddings:
        """Embed a training batch, and in training mode stage its keys for the queue.

        Args:
            inputs: See :meth:`DualStreamRetriever.forward`; one caption per image.
            person_ids: Identities, (N,).
            fields: Further fields of the structure.

        Returns:
            What the heads turn into losses.
        """
        image, text = self._stream_features(inputs)
        pairs = self._pair_embeddings(inputs, image, text, person_ids=person_ids, **fields)
        neck = self.contrastive_neck
        image_keys, text_keys = self._encode_keys(inputs)
        pairs.contrast = ContrastEmbeddings(
            image_queries=promote(neck['image'](pooled(image))) if neck else pairs.image,
            text_queries=promote(neck['text'](pooled(text))) if neck else pairs.text,
            image_keys=image_keys,
            text_keys=text_keys,
            queue=self.queue,
        )
        if self.training:
            self.queue.stage(image_keys, text_keys, person_ids)
        self._watch(pairs)
        return pairs

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Add up the losses of a training step.

        MMEngine calls this in every training step, also in those of DistributedDataParallel, and nowhere else; so here
        a training without hooks shows.

        Args:
            losses: See :meth:`DualStreamRetriever.loss`.

        Returns:
            The sum, and what goes to the log.

        Raises:
            RuntimeError: If the keys of the last step never entered the queue.
        """
        self.queue.demand_commit()
        return super().parse_losses(losses)

    @torch.no_grad()
    def _encode_keys(self, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Encode the batch with the key encoders; L2-normalised, at least single precision."""
        neck: Any = self.key_encoders['contrastive_neck']
        image = self.key_encoders['image_stream'](inputs['images'])
        text = self.key_encoders['text_stream'](inputs['tokens'], inputs['lengths'])
        image = neck['image'](image) if neck else self.image_projection(image)
        text = neck['text'](text) if neck else self.text_projection(text)
        return F.normalize(promote(image), dim=1), F.normalize(promote(text), dim=1)

    def _streams(self) -> list[nn.Module]:
        keys: Any = self.key_encoders
        return [*super()._streams(), keys['image_stream'], keys['text_stream']]

    def _query_key_modules(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Give each query module with its key module."""
        for name, key in self.key_encoders.items():
            yield getattr(self, name), key

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Let the keys of a stream start as copies when a checkpoint has none, such as a baseline's."""
        for name in self.key_encoders:
            query, key = f'{prefix}{name}.', f'{prefix}key_encoders.{name}.'
            if not any(stored.startswith(key) for stored in state_dict):
                copies = {key + stored.removeprefix(query): stored for stored in state_dict if stored.startswith(query)}
                state_dict.update({copy: state_dict[stored] for copy, stored in copies.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)
