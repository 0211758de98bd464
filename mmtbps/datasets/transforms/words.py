"""Random changes of the words of a caption."""

import random

from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.registry import TRANSFORMS

__all__ = ['BackTranslate', 'DeleteWords']


@TRANSFORMS.register_module()
class BackTranslate(BaseTransform):
    """Take the back translation of the caption at random, as TBPS-CLIP does (Cao et al., AAAI 2024).

    A caption that was translated to another language and back says the same in other words. Captions without one stay.
    Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - caption (str)
    - back_translation (str): if the annotation has it

    **Modified Keys:**

    - caption (str)

    Args:
        prob: Probability; 0.1 is the published value.

    Raises:
        ValueError: If ``prob`` is no probability.
    """

    @checked(prob=in_unit)
    def __init__(self, prob: float = 0.1) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Exchange ``results['caption']``."""
        if random.random() < self.prob:
            results['caption'] = results.get('back_translation', results['caption'])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'


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
