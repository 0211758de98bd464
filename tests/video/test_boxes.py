"""Overlap, suppression, margins and thinning, against slow plain forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.video.boxes import Thinner, cut_box, overlaps, suppress

SIDE = 12
SPAN = st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)).map(sorted)
BOX = st.tuples(SPAN, SPAN).map(lambda spans: (spans[0][0], spans[1][0], spans[0][1], spans[1][1]))
THRESHOLD = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])


def pixels(box):
    left, top, right, bottom = box
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


def plain_overlap(box, other):
    union = pixels(box) | pixels(other)
    return len(pixels(box) & pixels(other)) / len(union) if union else 0.0


def array(boxes):
    return np.array(boxes, float).reshape(-1, 4)


@settings(deadline=None)
@given(st.lists(BOX, max_size=4), st.lists(BOX, max_size=4))
def test_overlaps_count_pixels(boxes, others):
    expected = [[plain_overlap(box, other) for other in others] for box in boxes]
    assert overlaps(array(boxes), array(others)) == pytest.approx(np.reshape(expected, (len(boxes), len(others))))


def plain_suppression(boxes, scores, threshold):
    kept = []
    for number in sorted(range(len(boxes)), key=lambda n: (-scores[n], n)):
        if all(plain_overlap(boxes[number], boxes[other]) <= threshold for other in kept):
            kept.append(number)
    return kept


@settings(deadline=None)
@given(st.lists(st.tuples(BOX, st.integers(0, 3)), max_size=7), THRESHOLD)
def test_suppression(found, threshold):
    boxes, scores = [box for box, _ in found], [score for _, score in found]
    assert suppress(array(boxes), np.array(scores), threshold).tolist() == plain_suppression(boxes, scores, threshold)


def plain_thinning(frames, threshold, seconds):
    kept, answers = [], []
    for time, boxes in frames:
        new = []
        for box in boxes:
            new.append(
                seconds == 0
                or not any(time - before <= seconds and plain_overlap(box, other) > threshold for before, other in kept)
            )
        kept += [(time, box) for box, fresh in zip(boxes, new, strict=True) if fresh]
        answers.append(new)
    return answers


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.lists(BOX, max_size=3)), max_size=8),
    THRESHOLD,
    st.sampled_from([0, 1, 3, 100]),
)
def test_thinning(steps, threshold, seconds):
    times = np.cumsum([step for step, _ in steps]).tolist()
    frames = list(zip(times, (boxes for _, boxes in steps), strict=True))
    thinner = Thinner(threshold, seconds)
    assert [thinner.new(time, array(boxes)).tolist() for time, boxes in frames] == plain_thinning(
        frames, threshold, seconds
    )


def test_who_stays_is_kept_again_after_a_while():
    thinner, box = Thinner(0.7, 10), array([(0, 0, 4, 10)])
    assert [time for time in range(100) if thinner.new(time, box)[0]] == list(range(0, 100, 11))


NUMBER = st.floats(-30, 50, allow_nan=False)


@settings(deadline=None)
@given(NUMBER, NUMBER, st.floats(0, 40), st.floats(0, 40), st.floats(0, 1))
def test_a_cut_is_in_the_frame_and_holds_all_of_the_box_that_is(left, top, wide, high, margin):
    box = np.array([left, top, left + wide, top + high])
    cut = cut_box(box, margin, 20, 10)
    assert 0 <= cut[0] <= cut[2] <= 20
    assert 0 <= cut[1] <= cut[3] <= 10
    bounds = np.clip(box, 0, [20, 10, 20, 10])
    assert (np.array(cut[:2]) <= bounds[:2]).all()
    assert (np.array(cut[2:]) >= bounds[2:]).all()


@pytest.mark.parametrize(('margin', 'expected'), [(0, (10, 20, 30, 60)), (0.1, (8, 16, 32, 64)), (1, (0, 0, 50, 70))])
def test_the_margin_is_a_share_of_width_and_height(margin, expected):
    assert cut_box(np.array([10, 20, 30, 60]), margin, 100, 70) == expected
