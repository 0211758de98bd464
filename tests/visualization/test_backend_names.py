"""Figures reach every tracking service under a name that it accepts."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.visualization import TBPSVisualizer
from mmtbps.visualization.backend_names import accepted_name, accepted_scalars

# What the services document of names, written down apart from our table.
RULES = {
    'MLflowVisBackend': re.compile(r'[/\w.\- :]*', re.ASCII),
    'TensorboardVisBackend': re.compile(r'[-/\w.]*', re.ASCII),
    'WandbVisBackend': re.compile(r'[A-Za-z0-9_/]*'),
    'DVCLiveVisBackend': re.compile(r'[^\\:*?"<>|@+\s]*'),
    'AimVisBackend': re.compile(r'[^@+\s]*'),
    'ClearMLVisBackend': re.compile(r'[^@+]*'),
    'NeptuneVisBackend': re.compile(r'[^@+\s]*'),
}
OURS = [
    't2i/R@1', 't2i/mAP', 't2i+jaccard/R@10', 'i2t+jaccard (k1=20)/mINP', 'CUHK-PEDES 2/t2i/R@5', 'base_lr', 'itc.loss',
]  # fmt: skip


@given(st.sampled_from(OURS) | st.text(max_size=30), st.sampled_from(sorted(RULES)))
def test_every_name_is_accepted(name, backend):
    assert RULES[backend].fullmatch(accepted_name(backend, name))
    assert accepted_name('LocalVisBackend', name) == accepted_name('Theirs', name) == name


@given(st.dictionaries(st.sampled_from(OURS) | st.text(max_size=6), st.floats(0, 100), max_size=12))
def test_figures_keep_apart(scalars):
    for backend in RULES:
        assert list(accepted_scalars(backend, scalars).values()) == list(scalars.values())
    assert accepted_scalars('LocalVisBackend', scalars) == scalars


def test_texts_are_for_files_alone():
    row = dict(a=1, b='best epoch', c=torch.ones(()), d=np.float32(2), e=None, f=torch.ones(3), g=np.ones(1), h=True)
    assert list(accepted_scalars('MLflowVisBackend', row)) == ['a', 'c', 'd', 'g', 'h']
    assert accepted_scalars('LocalVisBackend', row) == row


@pytest.mark.parametrize('kind', sorted(RULES))
def test_what_the_visualizer_passes_on(tmp_path, kind):
    class Strict:
        seen: dict = {}

        def add_scalar(self, name, value, step=0):
            self.add_scalars({name: value})

        def add_scalars(self, row, step=0, file_path=None):
            assert all(RULES[kind].fullmatch(name) for name in row)
            self.seen.update(row)

        def add_image(self, name, image, step=0):
            assert RULES[kind].fullmatch(name)
            self.seen[name] = step

    visualizer = TBPSVisualizer(save_dir=str(tmp_path), vis_backends=[dict(type='LocalVisBackend')])
    strict = type(kind, (Strict,), dict(seen={}))()
    visualizer._vis_backends['strict'] = strict
    visualizer.add_scalar('t2i/R@1', 50.0, step=3)
    visualizer.add_scalars({'t2i+jaccard/R@1': 60.0, 'tested_weights': 'best'}, step=3)
    visualizer.add_image('ranked@1', np.zeros((4, 4, 3), np.uint8), step=2)

    assert list(strict.seen)[:2] == ['t2i/R_at_1', 't2i_with_jaccard/R_at_1']
    assert list(strict.seen)[2].startswith('ranked_at_1')
    assert '"t2i/R@1": 50.0' in next(tmp_path.rglob('scalars.json')).read_text()


def test_a_service_that_fails_at_its_end_costs_nothing(tmp_path):
    visualizer = TBPSVisualizer(save_dir=str(tmp_path), vis_backends=[dict(type='LocalVisBackend')])
    closed = []

    class Broken:
        def close(self):
            raise AttributeError('no repository')

    class Sound:
        def close(self):
            closed.append(True)

    visualizer._vis_backends = dict(broken=Broken(), sound=Sound())
    with pytest.warns(UserWarning, match='broken could not be closed: AttributeError'):
        visualizer.close()
    assert closed == [True]
