"""MMEngine's visualizer, extended by ranked lists."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from mmtbps.registry import VISUALIZERS

from .backend_names import accepted_name, accepted_scalars
from .ranked_list import draw_ranking

__all__ = ['TBPSVisualizer']


@VISUALIZERS.register_module()
class TBPSVisualizer(Visualizer):
    """Draws queries with their ranked images and passes the pictures to every backend (files, TensorBoard, W&B, ...).

    Arguments are those of :class:`mmengine.visualization.Visualizer`. Figures reach each backend under a name that it
    accepts, see :func:`~mmtbps.visualization.backend_names.accepted_name`.
    """

    @master_only
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a figure.

        Args:
            name: Its name.
            value: Its value.
            step: Training step. Defaults to 0.
            **kwargs: For the backends.
        """
        for backend in self._vis_backends.values():
            backend.add_scalar(accepted_name(type(backend).__name__, name), value, step, **kwargs)

    @master_only
    def add_scalars(self, scalar_dict: dict, step: int = 0, file_path: str | None = None, **kwargs: Any) -> None:
        """Record a row of figures.

        Args:
            scalar_dict: Figures by name.
            step: Training step. Defaults to 0.
            file_path: File for backends that write one. Defaults to None: their own.
            **kwargs: For the backends.
        """
        for backend in self._vis_backends.values():
            backend.add_scalars(accepted_scalars(type(backend).__name__, scalar_dict), step, file_path, **kwargs)

    def close(self) -> None:
        """Close all backends; one that fails at its end is told, since the training is done by then."""
        for name, backend in self._vis_backends.items():
            try:
                backend.close()
            except Exception as error:  # services raise errors of many kinds
                warnings.warn(
                    f'{name} could not be closed: {error!r}. Some of its figures may be missing.', stacklevel=2
                )

    @master_only
    def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        """Record a picture.

        Args:
            name: Its name.
            image: The picture, (H, W, 3) uint8, RGB.
            step: Training step. Defaults to 0.
        """
        for backend in self._vis_backends.values():
            kind = type(backend).__name__
            # MLflow has neither steps of pictures nor a format of its own.
            own = f'{name}_{step}.png' if kind == 'MLflowVisBackend' else name
            backend.add_image(accepted_name(kind, own), image, step)

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
