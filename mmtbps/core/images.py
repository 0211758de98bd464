"""Image files that anybody may have written."""

import io
import re
import warnings
from pathlib import Path
from typing import BinaryIO

import mmcv
import numpy as np
from mmengine import fileio
from PIL import Image, UnidentifiedImageError

from .files import require_regular

__all__ = ['ADDRESS', 'MAX_PIXELS', 'decode_image', 'read_image', 'require_pixels']

MAX_PIXELS = 89_478_485
"""Width times height from which on Pillow, too, suspects an attack: a quarter of a gigabyte of pixels."""

ADDRESS = re.compile(r'(https?|ftp)://', re.IGNORECASE)
"""Begins what is an address of the web and no file of this machine."""


def require_pixels(
    file: str | Path | BinaryIO, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> None:
    """Read the size of an image from its first bytes and refuse what would fill the memory.

    A file of a few kilobytes can hold billions of pixels, and OpenCV decodes up to 2^30 of them.

    Args:
        file: Path or binary file.
        max_pixels: Largest width times height.
        formats: Pillow's names of the accepted formats. Defaults to None: all.

    Raises:
        OSError: If the file cannot be read or is no image.
        ValueError: If it has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)  # our limit says it
            with Image.open(file, formats=formats) as image:
                width, height = image.size
    except UnidentifiedImageError as error:
        raise UnidentifiedImageError('Pillow does not know this kind of image') from error
    except Image.DecompressionBombError as error:
        raise ValueError(f'it has more than {max_pixels / 1e6:g} megapixels') from error
    if width * height > max_pixels:
        raise ValueError(f'it has {width} x {height} pixels, above {max_pixels / 1e6:g} megapixels')


def decode_image(content: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image of any kind, and turn it as its EXIF data say.

    Args:
        content: Content of the file.
        max_pixels: Largest width times height, checked before decoding.

    Returns:
        Pixels (H, W, 3) uint8, BGR.

    Raises:
        Exception: Of many kinds, as the decoders raise them.
        ValueError: If there are too many pixels, or they are not of 8 bits.
    """
    require_pixels(io.BytesIO(content), max_pixels)
    image = mmcv.imfrombytes(content, flag='color', backend='cv2')
    if image is None:
        raise ValueError('OpenCV cannot decode it')
    if image.dtype != np.uint8 or image.ndim != 3:
        # OpenCV gives some pictures of floating-point numbers as they are, whatever it is asked for.
        raise ValueError(f'its pixels are {image.dtype} of shape {image.shape}')
    return image


def read_image(file: str | Path, max_pixels: int = MAX_PIXELS, backend_args: dict | None = None) -> np.ndarray:
    """Read an image file; see :func:`decode_image`.

    Args:
        file: The file.
        max_pixels: Largest width times height.
        backend_args: File backend of MMEngine. Defaults to None: chosen by the prefix of the path.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it is no regular file, or cannot be read or decoded; the message names the file.
    """
    require_regular(file)
    try:
        return decode_image(fileio.get(file, backend_args=backend_args), max_pixels)
    except FileNotFoundError:
        raise
    except Exception as error:  # decoders raise all kinds of errors, some without the file name
        reason = ' '.join(str(error).split())  # OpenCV's has several lines
        raise OSError(
            f'Cannot read the image {file} ({type(error).__name__}: {reason}). Repair or remove it; '
            'mmtbps verify lists all broken images.'
        ) from error
