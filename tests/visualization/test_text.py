"""Text of users in drawings."""

import logging
import warnings
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mmtbps.engine import RankedListHook
from mmtbps.visualization import draw_ranking, draw_text
from mmtbps.visualization.ranked_list import render

IMAGE = np.zeros((20, 10, 3), np.uint8)
CAPTIONS = [
    'a shirt that cost $5 and a bag of $20',
    'print("${name}_{i}") for x in $list',
    r'a man $\frac{x$ in red',
    '$',
    '$$',
    '\N{CJK UNIFIED IDEOGRAPH-7537}\N{FULLWIDTH COMMA}red',
    'a man \N{GRINNING FACE}',
    'a\x00b\x1b[31mc\u200d\ufeff',
    '',
]


def drawn(text):
    figure = Figure(figsize=(4, 1))
    draw_text(figure.suptitle, text)
    return figure._suptitle.get_text(), render(figure)


@pytest.mark.parametrize('caption', CAPTIONS)
def test_no_caption_is_a_formula_or_an_error_or_a_warning(caption):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        draw_ranking(caption, [IMAGE, IMAGE], [0.5, 0.25], person_ids=[caption, 1])


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=['Cs']), max_size=30))
def test_any_text_is_drawn_without_a_warning(text):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        shown, _ = drawn(text)
    assert len(shown) == len(text)


@settings(max_examples=20, deadline=None)
@given(st.text(alphabet='abc $_^{}\\%&#~', max_size=30))
def test_ascii_is_drawn_as_it_is(text):
    shown, picture = drawn(text)
    assert shown == text
    with mpl.rc_context({'text.parse_math': False}):
        figure = Figure(figsize=(4, 1))
        figure.suptitle(text)
        assert np.array_equal(picture, render(figure))


def test_what_no_font_has_becomes_a_square():
    shown, _ = drawn('a\U0010ffff b\x07')
    assert shown.replace('\N{WHITE SQUARE}', ' ').split() == ['a', 'b']


def test_a_drawing_that_fails_warns_once_and_training_goes_on(caplog):
    def fail(*_, **__):
        raise OSError('no such image')

    logger = logging.getLogger('drawing')
    runner = SimpleNamespace(
        epoch=5, logger=logger, visualizer=SimpleNamespace(add_ranked_list=fail),
        val_dataloader=SimpleNamespace(dataset=[0]),
    )  # fmt: skip
    hook = RankedListHook(interval=5)
    features = SimpleNamespace(captions=['a'])
    hook.gatherer = SimpleNamespace(evaluate=lambda _: None, take=lambda: features)
    hook._draw = lambda *_: fail()
    with caplog.at_level(logging.WARNING, logger='drawing'):
        for _ in range(2):
            hook.after_val_epoch(runner)
    assert [record.message for record in caplog.records] == [
        "RankedListHook: a ranked list could not be drawn (OSError('no such image')); training goes on."
    ]
