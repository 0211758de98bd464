"""Random changes of token ids: masking for the prediction of words, and augmentation."""

import random
from collections.abc import Callable
from typing import Any

from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.registry import TRANSFORMS

__all__ = ['AugmentTokens', 'MaskTokens']

IGNORED = -100
"""Label of a word that is not to be predicted; torch's cross-entropy leaves it out."""

_Change = Callable[[float, int, int], int | None]


def _change_some(tokens: list[int], prob: float, mask_id: int, change: _Change) -> tuple[list[int | None], list[int]]:
    """Change each word with a probability.

    Args:
        tokens: Ids of start, words and end.
        prob: Probability of a change.
        mask_id: Id of the mask, above those of all words and below start and end.
        change: From a uniform number, the id and the id of the mask to the new id, None to remove it.

    Returns:
        The new ids, and the label of each: the old id where it was chosen.
    """
    changed: list[int | None] = []
    labels = []
    for token in tokens:
        # Id 0 is padding, and the word '!'.
        draw = random.random() / prob if prob and 0 < token < mask_id else 1.0
        chosen = draw < 1
        changed.append(change(draw, token, mask_id) if chosen else token)
        labels.append(token if chosen else IGNORED)
    return changed, labels


def _mask_id(results: dict[str, Any], name: str) -> int:
    """The tokenizer's mask, or a message that says what is missing."""
    if 'tokens' not in results:
        raise ValueError(f'{name} needs token ids; put it behind TokenizeCaption.')
    mask_id = getattr(results['tokenizer'], 'mask_id', None)
    if mask_id is None:
        raise ValueError(
            f'{name} needs a tokenizer with a mask_id, which {type(results["tokenizer"]).__name__} has not; take '
            'CLIPTokenizer.'
        )
    return mask_id


@TRANSFORMS.register_module()
class MaskTokens(BaseTransform):
    """Mask words for :class:`~mmtbps.models.MaskedWordHead`, by the rule of BERT (Devlin et al., NAACL 2019).

    Each word is chosen with a probability; of those chosen 80 % become the mask, 10 % any word, 10 % stay. If none is
    chosen, the first position behind the start is masked. Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - tokenizer (Tokenizer): with a ``mask_id``
    - tokens (list[list[int]]): one caption

    **Added Keys:**

    - views (dict): the masked view, ``tokens`` and ``labels`` (list[int]), the latter -100 where nothing is to be
      predicted

    Args:
        prob: Probability that a word is chosen; 0.15 is the value of BERT and of IRRA.
        view: Name of the view.
        in_place: Mask the caption itself; the view then has labels alone. The public code of IRRA does so against its
            paper, and all its losses see masked captions. Defaults to False.

    Raises:
        ValueError: If ``prob`` is no probability, or the ids or the mask are missing.
    """

    @checked(prob=in_unit)
    def __init__(self, prob: float = 0.15, view: str = 'masked', in_place: bool = False) -> None:
        self.prob = prob
        self.view = view
        self.in_place = in_place

    def transform(self, results: dict) -> dict:
        """Mask ``results['tokens']``."""
        mask_id = _mask_id(results, type(self).__name__)
        (tokens,) = results['tokens']
        masked, labels = _change_some(tokens, self.prob, mask_id, self._change)
        if all(label == IGNORED for label in labels):
            masked[1], labels[1] = mask_id, tokens[1]
        view: dict[str, list] = {'labels': labels}
        if self.in_place:
            results['tokens'] = [masked]
        else:
            view['tokens'] = masked
        results.setdefault('views', {})[self.view] = view
        return results

    @staticmethod
    def _change(draw: float, token: int, mask_id: int) -> int:
        if draw < 0.8:
            return mask_id
        return random.randrange(1, mask_id) if draw < 0.9 else token

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, view={self.view!r}, in_place={self.in_place})'


@TRANSFORMS.register_module()
class AugmentTokens(BaseTransform):
    """Change words of the caption at random, as RDE does (Qin et al., CVPR 2024).

    Each word is chosen with a probability; of those chosen 60 % become the mask, 20 % any word, 20 % are removed.
    Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - tokenizer (Tokenizer): with a ``mask_id``

    **Modified Keys:**

    - tokens (list[list[int]])

    Args:
        prob: Probability that a word is chosen; 0.2 is the published value.

    Raises:
        ValueError: If ``prob`` is no probability, or the ids or the mask are missing.
    """

    @checked(prob=in_unit)
    def __init__(self, prob: float = 0.2) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change ``results['tokens']``."""
        mask_id = _mask_id(results, type(self).__name__)
        results['tokens'] = [
            [token for token in _change_some(tokens, self.prob, mask_id, self._change)[0] if token is not None]
            for tokens in results['tokens']
        ]
        return results

    @staticmethod
    def _change(draw: float, token: int, mask_id: int) -> int | None:
        if draw < 0.6:
            return mask_id
        return random.randrange(1, mask_id) if draw < 0.8 else None

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
