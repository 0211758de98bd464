"""Settings of a config as they are typed."""

import pytest
from mmengine.config import Config

from mmtbps.cli.settings import override, pairs


@pytest.mark.parametrize(
    ('word', 'expected'),
    [
        ('a=1', 1), ('a=1.5', 1.5), ('a=None', None), ('a=True', True), ('a=text', 'text'), ('a=[1,2]', [1, 2]),
        ('a=[(1,2),x]', [(1, 2), 'x']), ('a=x=y', 'x=y'), ('a=', ''),
        ('a=http://{host}:1', 'http://{host}:1'), ('a=my crops (old)', 'my crops (old)'), ('a="my crops"', 'my crops'),
        ('a=["my crops", 2]', ['my crops', 2]), ('a=[1, 2]', [1, 2]), ('a=[x, y]', ['x', 'y']), ('a= 1 ', 1),
        ('a={"type": "SGD", "lr": 0.1}', dict(type='SGD', lr=0.1)),
        ('a=dict(type="SGD", lr=-1e-3)', dict(type='SGD', lr=-0.001)),
        ('a=[dict(type="EMAHook", n=(1, None))]', [dict(type='EMAHook', n=(1, None))]),
    ],
)  # fmt: skip
def test_values(word, expected):
    assert pairs([word]) == {'a': expected}


@pytest.mark.parametrize(
    ('word', 'message'),
    [
        ('a', "'a' is no setting: write key=value"), ('=3', 'is no setting'),
        ('a=dict(x=open("f"))', 'is no dictionary of plain values'), ('a={"b": }', 'is no dictionary'),
        ('a=dict(**b)', 'is no dictionary'), ('a={**b}', 'is no dictionary'), ('a={b}', 'is no dictionary'),
        ('a={[1]: 2}', 'is no dictionary'),
        ('pipeline[1].size=3', r'write pipeline\.1\.size'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(word, message):
    with pytest.raises(ValueError, match=message):
        pairs([word])


def test_names_of_settings_that_stand_deeper_are_refused_with_their_place():
    cfg = Config(
        dict(train_cfg=dict(max_epochs=2), lr=1, optim_wrapper=dict(optimizer=dict(lr=1)), own=3, resume=False)
    )
    for word, message in (
        ('max_epochs=1', r'max_epochs is no setting of its own\. Did you mean train_cfg\.max_epochs\?'),
        ('lr=0.5', r'lr is a variable of the file, .* optim_wrapper\.optimizer\.lr\?'),
    ):
        with pytest.raises(ValueError, match=message):
            override(cfg, [word])
    override(cfg, ['own=4', 'resume=True', 'train_cfg.max_epochs=7', 'new=1', 'optim_wrapper.optimizer=dict(lr=3)'])
    assert (cfg.own, cfg.resume, cfg.train_cfg.max_epochs, cfg.new, cfg.optim_wrapper.optimizer.lr) == (
        4,
        True,
        7,
        1,
        3,
    )
