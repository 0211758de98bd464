"""Boxes of persons in pixels: overlap, suppression, margins, and thinning over time."""

import numpy as np

__all__ = ['Thinner', 'cut_box', 'overlaps', 'suppress']


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute intersection over union of every two boxes.

    Args:
        boxes: (N, 4), left, top, right, bottom.
        others: (M, 4).

    Returns:
        (N, M) in 0..1; 0 where both boxes are empty.
    """
    boxes, others = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(others, np.float64).reshape(-1, 4)
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])
    end = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(end - start, 0, None), axis=2)
    areas = [np.prod(np.clip(part[:, 2:] - part[:, :2], 0, None), axis=1) for part in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Non-maximum suppression: of boxes that overlap the one with the highest score is kept.

    Args:
        boxes: (N, 4), left, top, right, bottom.
        scores: (N,), higher is better; of equal ones the first is kept.
        overlap: Intersection over union above which two boxes are one person.

    Returns:
        Numbers of the boxes that are kept, best first, int64.
    """
    order = np.argsort(-np.asarray(scores), kind='stable')
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        order = rest[overlaps(boxes[first], boxes[rest])[0] <= overlap]
    return np.array(kept, np.int64)


def cut_box(box: np.ndarray, margin: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Enlarge a box and keep the part of it that is in the frame.

    Args:
        box: (4,), left, top, right, bottom in pixels; fractions are allowed.
        margin: What is added at each side, as a share of the box's width (left, right) and height (top, bottom).
        width: Of the frame in pixels.
        height: Of the frame in pixels.

    Returns:
        Left, top, right, bottom in whole pixels, with which ``frame[top:bottom, left:right]`` is the crop; it may be
        empty.
    """
    left, top, right, bottom = (float(value) for value in box)
    across, down = margin * (right - left), margin * (bottom - top)
    # A value far outside may not fit into a whole number.
    spread = np.clip([left - across, top - down, right + across, bottom + down], 0, [width, height, width, height])
    return int(np.floor(spread[0])), int(np.floor(spread[1])), int(np.ceil(spread[2])), int(np.ceil(spread[3]))


class Thinner:
    """Tells boxes of somebody who stays from boxes of somebody new.

    A box is a repetition if a box that was kept before, in an earlier frame of the same video and at most ``seconds``
    ago, overlaps it by more than ``overlap``. Repetitions are not remembered, so that somebody who stays is kept
    once in every ``seconds``.

    Args:
        overlap: Intersection over union above which two boxes are the same person.
        seconds: For how long a kept box counts; 0 keeps every box.
    """

    def __init__(self, overlap: float, seconds: float) -> None:
        self.overlap = overlap
        self.seconds = seconds
        self._times: list[float] = []
        self._boxes: list[np.ndarray] = []

    def new(self, time: float, boxes: np.ndarray) -> np.ndarray:
        """Tell which boxes of a frame are new, and remember them.

        Args:
            time: Of the frame in seconds, not before that of the last one.
            boxes: (N, 4), left, top, right, bottom.

        Returns:
            (N,) bool. Boxes of one frame are different persons, whatever their overlap.
        """
        gone = next((n for n, kept in enumerate(self._times) if time - kept <= self.seconds), len(self._times))
        del self._times[:gone], self._boxes[:gone]
        new = np.ones(len(boxes), bool)
        if self.seconds > 0 and len(boxes) and self._boxes:
            new = overlaps(boxes, np.stack(self._boxes)).max(1) <= self.overlap
        self._times += [time] * int(new.sum())
        self._boxes += list(np.asarray(boxes)[new])
        return new
