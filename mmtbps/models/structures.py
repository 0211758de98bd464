"""What streams hand to a retriever, and a retriever to its heads."""

from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from .queues import CrossModalQueue

__all__ = ['ContrastEmbeddings', 'PairEmbeddings', 'TokenFeatures']


class _NamedFields(BaseDataElement):
    """A data element that says what it has when it is asked for what it has not."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(name)
        raise AttributeError(f'{type(self).__name__} has no {name!r}, only {sorted(self.keys())}. {self._remedy(name)}')

    def _remedy(self, name: str) -> str:
        return ''


class NamedViews(_NamedFields):
    """The views of a batch that heads need, by name; each is a :class:`ViewEmbeddings`."""

    def _remedy(self, name: str) -> str:
        return 'The pipeline of the training set has to add this view (MaskTokens, AddImageView).'


class ViewEmbeddings(_NamedFields):
    """A view of a batch: ``image`` or ``text`` (N, D), and what else :class:`PairEmbeddings` says of views."""

    def _remedy(self, name: str) -> str:
        return 'The view has neither image nor caption of its own, as after MaskTokens(in_place=True).'


class TokenFeatures(_NamedFields):
    """All positions of a tower's output, of N images or captions.

    Attributes:
        pooled: The one feature of each item, (N, D): what the stream gives when nobody asks for positions.
        tokens: Every position, normalised and projected into the joint space as ``pooled`` is, (N, L, D).
        mask: Which positions belong to the item, bool, (N, L); False behind the end of a caption.
        attention: How the pooled position attends to all others in the last block, (N, L): softmax, mean of the heads,
            0 where ``mask`` is False. Only there if asked for.
    """

    pooled: Tensor
    tokens: Tensor
    mask: Tensor
    attention: Tensor

    def _remedy(self, name: str) -> str:
        return 'A neck that reads the attention sets needs_attention = True.' if name == 'attention' else ''


class ContrastEmbeddings(_NamedFields):
    """Queries, momentum keys and queue of one batch of CM-MoCo.

    Attributes:
        image_queries: Contrastive embeddings of the images, (N, D).
        text_queries: Contrastive embeddings of the captions, (N, D).
        image_keys: The images through the key encoder, (N, D), L2-normalised, no gradient.
        text_keys: The captions through the key encoder, (N, D), L2-normalised, no gradient.
        queue: Keys of earlier batches; it does not hold those of this batch yet.
    """

    image_queries: Tensor
    text_queries: Tensor
    image_keys: Tensor
    text_keys: Tensor
    queue: CrossModalQueue


class PairEmbeddings(_NamedFields):
    """Embeddings of a batch of image-caption pairs, in at least single precision; heads read them by name.

    A retriever of one's own may set any further field; :meth:`detach` and the gathering over processes keep them all.

    Attributes:
        image: Embeddings of the images, (N, D), not normalised.
        text: Embeddings of the captions, (N, D), not normalised; row i describes image i.
        person_ids: Identities of the pairs, (N,), int64.
        indices: Positions of the pairs in the training set (``sample_idx``), (N,), int64; there if the items carry it.
        tokens: ``image`` and ``text``, each :class:`TokenFeatures` in the precision of the tower, as far as a head
            names them in ``needs``.
        views: One structure per named view that a head needs (``'views.NAME'``, or ``'views'`` for all): ``image`` or
            ``text`` (N, D), what else the view has, such as ``labels`` (N, L), and ``tokens`` for
            ``'views.NAME.tokens'``.
        teacher: ``image`` and ``text``, (N, D), what a second pass of the same weights makes of the pairs, without
            gradient; for a view of images ``teacher`` (N, D). There if a head needs ``'teacher'``, for views
            ``'views.NAME.teacher'``.
        contrast: What momentum contrast adds. There if the retriever is a ``CMMoCoRetriever``.
    """

    image: Tensor
    text: Tensor
    person_ids: Tensor
    indices: Tensor
    tokens: BaseDataElement
    views: BaseDataElement
    teacher: BaseDataElement
    contrast: ContrastEmbeddings

    def _remedy(self, name: str) -> str:
        remedies = {
            'contrast': 'ContrastiveHead needs momentum keys and a queue; take the retriever CMMoCoRetriever.',
            'indices': "Let PackTBPSInputs pack 'sample_idx'.",
            'temperatures': 'Give the retriever its shared temperatures, temperatures=dict(name=dict(...)).',
            'teacher': "A head that reads the self-teacher names it, needs = ('teacher',).",
            'tokens': "A head that reads tokens names them, needs = ('tokens.image', 'tokens.text').",
            'views': "A transform adds a view, results['views'][name] = dict(...), and a head needs 'views.NAME'.",
        }
        return remedies.get(name, '')
