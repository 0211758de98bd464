"""Checks of the images that a visitor adds to a gallery."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmtbps.core.files import write_atomically
from mmtbps.core.images import require_pixels
from mmtbps.datasets.transforms import LoadPersonImage

__all__ = ['UPLOAD_SUFFIXES', 'UploadLimits', 'keep_upload', 'read_upload']

_FORMATS = ('BMP', 'JPEG', 'PNG', 'WEBP')
UPLOAD_SUFFIXES = ['.bmp', '.jpeg', '.jpg', '.png', '.webp']
"""File name extensions that the file dialogue offers; the check looks at the content."""


@dataclass(frozen=True)
class UploadLimits:
    """Limits of an upload.

    Args:
        megabytes: Largest size of a file. Defaults to 10, several times that of a photograph.
        megapixels: Largest width times height, checked before the image is decoded, since a small file can hold a huge
            image. Defaults to 40, above the cameras of telephones.
        files: Largest number of files at a time. Defaults to 50, which one core encodes within seconds.

    Raises:
        ValueError: If a limit is not positive.
    """

    megabytes: float = 10
    megapixels: float = 40
    files: int = 50

    def __post_init__(self) -> None:
        for name in ('megabytes', 'megapixels', 'files'):
            if getattr(self, name) <= 0:
                raise ValueError(f'{name} must be positive, got {getattr(self, name)}.')


def keep_upload(file: str | Path, folder: str | Path, limits: UploadLimits) -> Path:
    """Check an uploaded file and store its pixels.

    Only the pixels are stored, as a PNG; place, time and any other content of the file are dropped.

    Args:
        file: The uploaded file.
        folder: Where to store the image; created if missing.
        limits: Limits of the upload.

    Returns:
        The stored image, named after the file and its content, so that the same pixels are stored once.

    Raises:
        ValueError: As :func:`read_upload` does.
    """
    picture = read_upload(file, limits)
    digest = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:12]
    kept = Path(folder) / f'{re.sub(r"[^A-Za-z0-9]+", "_", Path(file).stem)[:40]}-{digest}.png'
    if not kept.exists():
        write_atomically(kept, cv2.imencode('.png', picture)[1].tobytes())
    return kept


def read_upload(file: str | Path, limits: UploadLimits) -> np.ndarray:
    """Check an uploaded file and read its pixels.

    Args:
        file: The uploaded file.
        limits: Limits of the upload.

    Returns:
        The pixels (H, W, 3) uint8, BGR.

    Raises:
        ValueError: If the file is too large or not a readable image; the message is for the visitor.
    """
    file = Path(file)
    if file.stat().st_size > limits.megabytes * 2**20:
        raise ValueError(f'{file.name} is larger than {limits.megabytes:g} MB.')
    try:
        require_pixels(file, int(limits.megapixels * 1e6), _FORMATS)
    except ValueError as error:
        raise ValueError(f'{file.name}: {error}.') from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{file.name} is not an image of an accepted type ({", ".join(_FORMATS)}).') from error
    try:
        return LoadPersonImage().transform(dict(img_path=str(file)))['img']
    except OSError as error:
        raise ValueError(f'{file.name} is broken.') from error
