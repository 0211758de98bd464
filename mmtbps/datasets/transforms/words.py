"""Random changes of the words of a caption."""

import random

from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.registry import TRANSFORMS

__all__ = ['DeleteWords']


@TRANSFORMS.register_module()
class DeleteWords(BaseTransform):
    """Delete words of the caption at random, as TBPS-CLIP does (Cao et al., AAAI 2024).

    Words are those of the caption as the tokenizer cleans it, between blanks. If none is left, one at random stays.
    Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - tokenizer (Tokenizer)

    **Modified Keys:**

    - caption (str)

    Args:
        prob: Probability that a word is deleted; 0.05 is the published value.

    Raises:
        ValueError: If ``prob`` is no probability.
    """

    @checked(prob=in_unit)
    def __init__(self, prob: float = 0.05) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Shorten ``results['caption']``."""
        words = results['tokenizer'].clean(results['caption']).split()
        kept = [word for word in words if random.random() > self.prob]
        results['caption'] = ' '.join(kept or (words and [random.choice(words)]))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
