"""MMEngine's visualizer with ranked lists."""

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
    """Draws queries with their ranked images and hands the pictures to every backend (files, TensorBoard, W&B, ...).

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
        """Draw a query and its answer.

        Args:
            name: What the backends call the picture.
            caption: See :func:`~mmtbps.visualization.draw_ranking`, as all that follow.
            images: Ranked images.
            scores: Their scores.
            step: Which step of training it belongs to. Defaults to 0.
            **options: ``right``, ``person_ids``, ``query_image`` and ``out_file``.

        Returns:
            The picture, (H, W, 3) uint8, RGB; None in all processes but the first, which draw nothing.
        """
        picture = draw_ranking(caption, images, scores, **options)
        self.set_image(picture)
        self.add_image(name, picture, step)
        return picture
