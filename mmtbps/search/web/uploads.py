"""What a visitor of the page may add to a gallery."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image, UnidentifiedImageError

from mmtbps.core.files import write_atomically
from mmtbps.datasets.transforms import LoadPersonImage

__all__ = ['UPLOAD_SUFFIXES', 'UploadLimits', 'keep_upload']

_FORMATS = ('BMP', 'JPEG', 'PNG', 'WEBP')
UPLOAD_SUFFIXES = ['.bmp', '.jpeg', '.jpg', '.png', '.webp']
"""Endings that the page's file dialogue offers; what counts is the content."""


@dataclass(frozen=True)
class UploadLimits:
    """How much a visitor may add at a time.

    Args:
        megabytes: Size of a file. Defaults to 10, several times a camera's photo.
        megapixels: Width times height, known before the image is unpacked: a small file can hold a huge one. Defaults
            to 40, above today's telephones.
        files: Files at a time. Defaults to 50, encoded within seconds on one core.

    Raises:
        ValueError: If one is not positive.
    """

    megabytes: float = 10
    megapixels: float = 40
    files: int = 50

    def __post_init__(self) -> None:
        for name in ('megabytes', 'megapixels', 'files'):
            if getattr(self, name) <= 0:
                raise ValueError(f'{name} must be positive, got {getattr(self, name)}.')


def keep_upload(file: str | Path, folder: str | Path, limits: UploadLimits) -> Path:
    """Check an uploaded file and keep its picture.

    Only pixels are kept, as a PNG: what else the file holds (place and time, other data behind the image) is not.

    Args:
        file: The uploaded file.
        folder: Where to keep it; made if missing.
        limits: What is too large.

    Returns:
        The kept image, named after the file and its content: the same picture is kept once.

    Raises:
        ValueError: If it is too large or no image that can be read; the message is for the visitor.
    """
    file = Path(file)
    if file.stat().st_size > limits.megabytes * 2**20:
        raise ValueError(f'{file.name} is larger than {limits.megabytes:g} MB.')
    try:
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise ValueError(f'{file.name} is no image of a type that is taken ({", ".join(_FORMATS)}).') from error
    if width * height > limits.megapixels * 1e6:
        raise ValueError(f'{file.name} has {width} x {height} pixels, above {limits.megapixels:g} megapixels.')
    try:
        picture = LoadPersonImage().transform(dict(img_path=str(file)))['img']
    except OSError as error:
        raise ValueError(f'{file.name} is broken.') from error
    digest = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:12]
    kept = Path(folder) / f'{re.sub(r"[^A-Za-z0-9]+", "_", file.stem)[:40]}-{digest}.png'
    if not kept.exists():
        write_atomically(kept, cv2.imencode('.png', picture)[1].tobytes())
    return kept
