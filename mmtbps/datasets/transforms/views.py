"""Further views of the image of an item."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from mmtbps.core.arguments import checked
from mmtbps.registry import TRANSFORMS

__all__ = ['AddImageView']


@TRANSFORMS.register_module()
class AddImageView(BaseTransform):
    """Add a view of the image that goes through transforms of its own, for heads that name it.

    **Required Keys:**

    - img

    **Added Keys:**

    - views (dict): the view, ``img`` and, if the transforms draw it, ``erased``

    Args:
        name: Name of the view.
        transforms: What makes the view of the image as it is at this place of the pipeline.
    """

    @checked()
    def __init__(self, name: str, transforms: Sequence[dict]) -> None:
        self.name = name
        self.transforms = [TRANSFORMS.build(transform) for transform in transforms]

    def transform(self, results: dict) -> dict:
        """Add the view to ``results['views']``."""
        made = {**results, 'img': results['img'].copy()}
        for transform in self.transforms:
            made = transform(made)
        view = {key: made[key] for key in ('img', 'erased') if key in made}
        results.setdefault('views', {})[self.name] = view
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name={self.name!r}, transforms={self.transforms})'
