"""Random erasing, drawn on the host and filled on the device."""

import math
import random

from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.registry import TRANSFORMS

__all__ = ['RandomErasingBox']


@TRANSFORMS.register_module()
class RandomErasingBox(BaseTransform):
    """Draw the rectangle of `Random Erasing Data Augmentation <https://arxiv.org/abs/1708.04896>`_.

    The pixels are not changed here: :class:`~mmtbps.models.TBPSDataPreprocessor` fills the rectangle after
    normalisation, since bytes could only represent a rounded value. (With another preprocessor use MMPretrain's
    ``RandomErasing``.) Rectangles have the distribution of torchvision's ``RandomErasing``: up to ten attempts to draw
    one that is smaller than the image on both sides, otherwise none. Random numbers are drawn from :mod:`random`.

    **Required Keys:**

    - img

    **Added Keys:**

    - erased (tuple[int, int, int, int]): top, left, height, width; only if there is something to erase

    Args:
        prob: Probability of erasing. Defaults to 0.5, as in the paper.
        area_range: Smallest and largest share of the image's area. Defaults to (0.02, 0.4), as in the paper.
        aspect_range: Smallest and largest height / width. Defaults to (0.3, 3.3), as in the paper.

    Raises:
        ValueError: If an argument is out of range.
    """

    @checked()
    def __init__(
        self,
        prob: float = 0.5,
        area_range: tuple[float, float] = (0.02, 0.4),
        aspect_range: tuple[float, float] = (0.3, 3.3),
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be between 0 and 1, but got {prob}.')
        if not 0 < area_range[0] <= area_range[1] <= 1:
            raise ValueError(f'area_range must be (min, max) with 0 < min <= max <= 1, but got {area_range}.')
        if not 0 < aspect_range[0] <= aspect_range[1]:
            raise ValueError(f'aspect_range must be (min, max) with 0 < min <= max, but got {aspect_range}.')
        self.prob = prob
        self.area_range = tuple(area_range)
        self.aspect_range = tuple(aspect_range)

    def transform(self, results: dict) -> dict:
        """Draw ``results['erased']``."""
        if random.random() < self.prob:
            box = self._draw_box(*results['img'].shape[:2])
            if box is not None:
                results['erased'] = box
        return results

    def _draw_box(self, img_height: int, img_width: int) -> tuple[int, int, int, int] | None:
        low, high = map(math.log, self.aspect_range)
        for _ in range(10):
            area = img_height * img_width * random.uniform(*self.area_range)
            aspect = math.exp(random.uniform(low, high))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if height < img_height and width < img_width:
                top, left = random.randint(0, img_height - height), random.randint(0, img_width - width)
                return top, left, height, width
        return None

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, area_range={self.area_range}, aspect_range={self.aspect_range})'
        )
