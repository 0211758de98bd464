"""MMEngine's visualizer, extended by ranked lists."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from mmtbps.registry import VISUALIZERS

from .ranked_list import draw_ranking

__all__ = ['TBPSVisualizer']


@VISUALIZERS.register_module()
class TBPSVisualizer(Visualizer):
    """Draws queries with their ranked images and passes the pictures to every backend (files, TensorBoard, W&B, ...).

    Arguments are those of :class:`mmengine.visualization.Visualizer`.
    """

    @master_only
    def add_ranked_list(
        self,
        name: str,
        caption: str,
        images: Sequence[str | np.ndarray],
        scores: Sequence[float],
        step: int = 0,
        **options: Any,
    ) -> np.ndarray:
        """Draw a query and its ranked images.

        Args:
            name: Name of the picture in the backends.
            caption: The query; see :func:`~mmtbps.visualization.draw_ranking` for this and the following arguments.
            images: Ranked images.
            scores: Their similarities.
            step: Training step of the picture. Defaults to 0.
            **options: ``matches``, ``person_ids``, ``query_image`` and ``out_file``.

        Returns:
            The picture, (H, W, 3) uint8, RGB; None in all processes but the first, which draw nothing.
        """
        picture = draw_ranking(caption, images, scores, **options)
        self.set_image(picture)
        self.add_image(name, picture, step)
        return picture
