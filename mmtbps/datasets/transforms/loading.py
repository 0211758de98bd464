"""Loading of image files."""

import numpy as np
from mmcv.transforms import LoadImageFromFile

from mmtbps.registry import TRANSFORMS

__all__ = ['LoadPersonImage']


@TRANSFORMS.register_module()
class LoadPersonImage(LoadImageFromFile):
    """Load an image of any kind as 3-channel uint8 BGR, or raise an error that names the file.

    Grey, palette, transparent (alpha is dropped) and 16-bit images become three channels of 8 bits; the orientation in
    the EXIF data is applied. An unreadable image always raises an error; there is no counterpart of MMCV's
    ``ignore_empty``.

    **Required Keys:**

    - img_path

    **Added Keys:**

    - img (np.ndarray): shape (H, W, 3), uint8, BGR
    - img_shape (tuple[int, int]): H, W
    - ori_shape (tuple[int, int]): H, W

    Args:
        backend_args: File backend of MMEngine, for images that are not on the local disk. Defaults to None: chosen by
            the prefix of the path.

    Raises:
        FileNotFoundError: If the file is missing.
        OSError: If it cannot be read or decoded.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        try:
            loaded = super().transform(results)
            _require_bytes(loaded['img'])
            return loaded
        except FileNotFoundError:
            raise
        except Exception as error:  # decoders raise all kinds of errors, some without the file name
            reason = ' '.join(str(error).split())  # OpenCV's has several lines
            raise OSError(
                f'Cannot read the image {results["img_path"]} ({type(error).__name__}: {reason}). Repair or remove it; '
                'tools/dataset_tools/verify_dataset.py lists all broken images.'
            ) from error

    def __repr__(self) -> str:
        return f'{type(self).__name__}(backend_args={self.backend_args})'


def _require_bytes(image: np.ndarray) -> None:
    """OpenCV gives some pictures of floating-point numbers as they are, whatever it is asked for."""
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(f'its pixels are {image.dtype} of shape {image.shape}')
