"""Drawn streets with walkers, videos of them, and a detector for exact tests."""

import struct

import cv2
import numpy as np

from mmtbps.registry import DETECTORS
from mmtbps.video import Detector

SIZE = (320, 240)  # width, height


def street(width=SIZE[0], height=SIZE[1]):
    """A bright, empty street."""
    image = np.full((height, width, 3), (205, 200, 195), np.uint8)
    image[height * 2 // 3 :] = (165, 168, 170)
    return image


def draw_walker(image, x, top, height, color=(60, 40, 35)):
    """Draw a dark figure with head, shoulders, arms and legs, seen from the front, on which HOG fires.

    ``x`` is the body's axis, ``top`` the crown, ``height`` from crown to soles, all in pixels.
    """

    def place(across, down):
        return round((x + across * height) * 16), round((top + down * height) * 16)

    def limb(points, width):
        corners = np.array([place(*point) for point in points], np.int32)
        cv2.polylines(image, [corners], False, color, round(width * height), cv2.LINE_AA, 4)

    def filled(points):
        cv2.fillPoly(image, [np.array([place(*point) for point in points], np.int32)], color, cv2.LINE_AA, 4)

    cv2.ellipse(image, place(0, 0.075), (round(0.052 * height * 16), round(0.072 * height * 16)), 0, 0, 360, color, -1,
                cv2.LINE_AA, 4)  # fmt: skip
    limb([(0, 0.1), (0, 0.2)], 0.05)
    filled([(-0.115, 0.185), (0.115, 0.185), (0.095, 0.5), (-0.095, 0.5)])
    for side in (-1, 1):
        limb([(side * 0.115, 0.205), (side * 0.145, 0.36), (side * 0.14, 0.5)], 0.06)
        limb([(side * 0.05, 0.48), (side * 0.06, 0.72), (side * 0.07, 0.97)], 0.085)
    return image


def write_video(path, images, fps=10.0, codec='mp4v'):
    """Write images of one size as a video."""
    height, width = images[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


def with_durations(source, target, durations):
    """Copy an MP4 of OpenCV (90 kHz or other ticks), with a duration of its own for each frame, in ticks.

    The table ``stts`` is the only box whose size changes; the boxes around it grow with it.
    """
    content = source.read_bytes()
    place = content.index(b'stts') - 4
    size = struct.unpack_from('>I', content, place)[0]
    entries = b''.join(struct.pack('>II', 1, ticks) for ticks in durations)
    table = struct.pack('>I4sII', 16 + len(entries), b'stts', 0, len(durations)) + entries
    changed = bytearray(content[:place] + table + content[place + size :])
    for name in (b'moov', b'trak', b'mdia', b'minf', b'stbl'):
        parent = changed.index(name) - 4
        struct.pack_into('>I', changed, parent, struct.unpack_from('>I', changed, parent)[0] + len(table) - size)
    target.write_bytes(changed.replace(b'edts', b'free'))  # the list of edits has the old duration
    return target


def ticks_of(path):
    """Ticks of the clock of an MP4's first track in a second."""
    content = path.read_bytes()
    return struct.unpack_from('>I', content, content.index(b'mdhd') + 4 + 12)[0]


def red_boxes(boxes, width=160, height=200):
    """A grey frame with red rectangles, which :class:`RedBoxes` finds."""
    image = np.full((height, width, 3), 128, np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = (0, 0, 255)
    return image


def write_frames(folder, images):
    """Write images as a folder of frames, without any loss."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f'f{number}.png'), image)
    return folder


@DETECTORS.register_module(force=True)
class RedBoxes(Detector):
    """Finds red rectangles to the pixel; its scores fall from 0.9 from left to right."""

    calls = 0

    def detect(self, image):
        type(self).calls += 1
        red = ((image[..., 2] > 200) & (image[..., :2] < 60).all(2)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(red, connectivity=4)
        found = sorted((left, top, left + wide, top + high) for left, top, wide, high, _ in stats[1:])
        return np.array(found, float).reshape(-1, 4), 0.9 - 0.1 * np.arange(len(found))
