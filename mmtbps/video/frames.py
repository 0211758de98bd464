"""Frames at regular times, of a video or of a folder of images."""

import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmtbps.core.images import read_image
from mmtbps.core.text import printable

__all__ = ['Frame', 'FrameFolder', 'FrameSource', 'UnreadableSource', 'VideoFile', 'natural_order']

_TOLERANCE = 5e-4
"""Half the millisecond that containers round times to, so that a frame at 0.9999 s counts as that of second 1."""

_USUAL_RATE = 25.0
"""Frames in a second where a video tells neither times nor rate, as FFmpeg assumes of raw streams."""

_LOST = 0.02
"""Share of the frames that a whole video may lack, since some containers only estimate their number."""


class UnreadableSource(Exception):
    """Nothing of a video or folder can be read; the message says why, without naming it."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Args:
        number: Its number in the source, from 0.
        time: Seconds since the source began.
        image: Pixels (H, W, 3) uint8, BGR.
    """

    number: int
    time: float
    image: np.ndarray


class FrameSource(ABC):
    """A video or a folder of images.

    Args:
        path: The file or folder.

    Attributes:
        remarks: What was wrong with it, a line each, known once :meth:`sample` is at its end.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.path.abspath(path)
        self.remarks: list[str] = []

    @property
    @abstractmethod
    def name(self) -> str:
        """What the camera is called if nobody says it."""

    @abstractmethod
    def state(self) -> list[int]:
        """Numbers that change when the content does: sizes and times of files."""

    @abstractmethod
    def sample(self, every: float) -> Iterator[Frame]:
        """Give the first frame at or after 0, ``every``, 2 * ``every``, ... seconds, each once; 0 gives all.

        Raises:
            UnreadableSource: If nothing can be read.
        """


class VideoFile(FrameSource):
    """A video file, read by OpenCV. Times are those that the file gives its frames, also where their rate varies."""

    @property
    def name(self) -> str:
        """The file's name without extension."""
        return Path(self.path).stem

    def state(self) -> list[int]:
        """Size and time of modification."""
        status = os.stat(self.path)
        return [status.st_size, status.st_mtime_ns]

    def sample(self, every: float) -> Iterator[Frame]:
        """Decode the video once from its beginning; see :meth:`FrameSource.sample`."""
        self.remarks = []
        capture = cv2.VideoCapture(self.path)
        try:
            if not capture.isOpened():
                raise UnreadableSource('it is no video that OpenCV can open, or it is damaged')
            clock, number, time = _Clock(every), -1, -math.inf
            while capture.grab():
                number += 1
                time = _time(capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, capture.get(cv2.CAP_PROP_FPS), number, time)
                if clock.due(time):
                    yield from self._decoded(capture, number, time)
            self._note_the_end(number + 1, capture.get(cv2.CAP_PROP_FRAME_COUNT))
        except cv2.error as error:
            raise UnreadableSource(f'OpenCV cannot decode it ({" ".join(str(error).split())})') from error
        finally:
            capture.release()

    def _decoded(self, capture: cv2.VideoCapture, number: int, time: float) -> Iterator[Frame]:
        decoded, image = capture.retrieve()
        if decoded and image is not None and image.ndim == 3 and image.dtype == np.uint8:
            yield Frame(number, time, image)
        else:
            self.remarks.append(f'frame {number} at {time:g} s cannot be decoded')

    def _note_the_end(self, found: int, promised: float) -> None:
        if found == 0:
            raise UnreadableSource('none of its frames can be decoded')
        if math.isfinite(promised) and found < promised * (1 - _LOST) - 1:
            self.remarks.append(f'it ends after {found} of about {promised:.0f} frames, and may be damaged')


class FrameFolder(FrameSource):
    """The images of a folder as the frames of a video, in the order of their names, in which ``f10`` follows ``f9``.

    Args:
        path: The folder.
        images: Names of its images.
        seconds: Time from one image to the next.
    """

    def __init__(self, path: str | os.PathLike, images: Sequence[str], seconds: float) -> None:
        super().__init__(path)
        self.images = sorted(images, key=natural_order)
        self.seconds = seconds

    @property
    def name(self) -> str:
        """The folder's name."""
        return os.path.basename(self.path)

    def state(self) -> list[int]:
        """How many images there are, the sum of their sizes, and the time of the last modification."""
        paths = [os.path.join(self.path, name) for name in self.images]
        found = [os.stat(path) for path in paths if os.path.exists(path)]  # links may lead nowhere
        return [
            len(found),
            sum(status.st_size for status in found),
            max((status.st_mtime_ns for status in found), default=0),
        ]

    def sample(self, every: float) -> Iterator[Frame]:
        """Read the images; see :meth:`FrameSource.sample`. Broken ones become remarks."""
        self.remarks = []
        clock, good = _Clock(every), 0
        for number, name in enumerate(self.images):
            if not clock.due(number * self.seconds):
                continue
            try:
                image = read_image(os.path.join(self.path, name))
            except OSError as error:
                self.remarks.append(f'{printable(name)} cannot be read ({type(error.__cause__ or error).__name__})')
                continue
            good += 1
            yield Frame(number, number * self.seconds, image)
        if not good:
            raise UnreadableSource('none of its images can be read')


class _Clock:
    """Tells which frames are the first ones after each multiple of a number of seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = 0.0

    def due(self, time: float) -> bool:
        """Whether to take the frame of this time; times increase."""
        if not self._every:
            return True
        if time + _TOLERANCE < self._next:
            return False
        self._next = (math.floor((time + _TOLERANCE) / self._every) + 1) * self._every
        return True


def _time(told: float, rate: float, number: int, before: float) -> float:
    """The time of a frame: as the file tells it, or one frame after the last where the file tells nothing sensible."""
    if math.isfinite(told) and told >= 0 and (told > before or number == 0):
        return told
    step = 1 / rate if math.isfinite(rate) and rate > 0 else 1 / _USUAL_RATE
    return 0.0 if number == 0 else before + step


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Key that sorts names by the numbers in them: ``f2`` before ``f10``."""
    parts = re.split(r'(\d+)', name)
    return [(0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts if part]
