"""The kinds of image files that can be read on this machine, decided in one place."""

import io
from functools import cache

import numpy as np
from PIL import Image

from .images import decode_image

__all__ = ['image_suffixes']


@cache
def image_suffixes() -> frozenset[str]:
    """File name extensions of the images that can be read here, in lower case.

    Which ones Pillow and OpenCV know depends on how both were built, so that each kind that Pillow can write is tried
    once: a small picture is written and read as any image is. It takes some hundredths of a second.

    Returns:
        Extensions such as ``'.png'``.
    """
    suffixes = Image.registered_extensions()
    kinds = {kind for kind in set(suffixes.values()) & set(Image.OPEN) if _readable(kind)}
    return frozenset(suffix for suffix, kind in suffixes.items() if kind in kinds)


def _readable(kind: str) -> bool:
    content = io.BytesIO()
    try:
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(content, format=kind)
        return decode_image(content.getvalue()).shape == (16, 16, 3)
    except Exception:  # writers and decoders raise errors of many kinds
        return False
