"""Loading of image files."""

from mmcv.transforms import LoadImageFromFile

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.core.images import MAX_PIXELS, read_image
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
        max_pixels: Largest width times height, checked before decoding, since a small file can hold a huge image.
            Defaults to 89,478,485, from which on Pillow, too, suspects an attack.

    Raises:
        FileNotFoundError: If the file is missing.
        OSError: If it cannot be read or decoded, or has too many pixels.
    """

    @checked(max_pixels=positive)
    def __init__(self, backend_args: dict | None = None, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__(backend_args=backend_args)
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        image = read_image(results['img_path'], self.max_pixels, self.backend_args)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(backend_args={self.backend_args}, max_pixels={self.max_pixels})'
