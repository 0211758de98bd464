"""The warning of a total batch size below the one that a config is meant for."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmtbps.engine import batch_sizes
from mmtbps.registry import MODELS


def note(size, processes, meant, kind='SDMHead', monkeypatch=None):
    monkeypatch.setattr(batch_sizes, 'get_world_size', lambda: processes)
    size_of = dict(num_classes=3) if kind == 'IdentityHead' else {}
    heads = dict(head=MODELS.build(dict(type=kind, **size_of)))
    cfg = dict(train_dataloader=dict(batch_size=size))
    if meant is not None:
        cfg['auto_scale_lr'] = dict(base_batch_size=meant)
    return batch_sizes.note_on_batch_size(SimpleNamespace(cfg=Config(cfg), model=SimpleNamespace(heads=heads)))


@pytest.mark.parametrize(
    ('size', 'processes', 'meant', 'remedy'), [(80, 2, 320, 160), (16, 1, 64, 64), (10, 3, 64, 22)]
)
def test_a_smaller_batch_is_named_with_its_remedy(size, processes, meant, remedy, monkeypatch):
    found = note(size, processes, meant, monkeypatch=monkeypatch)
    assert f'{size * processes} ({processes} x {size})' in found
    assert f'meant for {meant}' in found
    assert f'batch_size={remedy} with model.chunk_size={size}' in found


@pytest.mark.parametrize(
    ('size', 'processes', 'meant', 'kind'),
    [(80, 4, 320, 'SDMHead'), (128, 1, 64, 'TALHead'), (8, 1, None, 'ITCHead'), (8, 1, 64, 'IdentityHead')],
)
def test_nothing_to_say(size, processes, meant, kind, monkeypatch):
    assert note(size, processes, meant, kind, monkeypatch) == ''
