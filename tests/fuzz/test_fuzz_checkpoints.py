"""Checkpoints: cut short, altered, other pickles, and other contents."""

import io
import pickle
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from fuzzing import JSON, REFUSED, TEXTS, altered_bytes, altered_json, attempt, fuzz
from hypothesis import strategies as st
from tiny_retriever import dual_stream_config

from mmtbps.core.checkpoint import load_checkpoint_file, newest_good, unwrap_weights
from mmtbps.models import fit_weights
from mmtbps.registry import MODELS
from mmtbps.search import ModelEncoder

STORED = {
    'state_dict': OrderedDict((f'w{n}', torch.arange(6.0).view(2, 3) + n) for n in range(4)),
    'meta': {'iter': 3, 'time': '20260101', 'dataset_meta': {'vocabulary': ['<pad>', '<unk>', 'a']}},
    'optimizer': {'param_groups': [{'lr': 0.1}]},
}


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


NEW, OLD = saved(STORED), saved(STORED, _use_new_zipfile_serialization=False)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('checkpoints')


def same(one, other):
    """Whether all is as it was stored, tensors bit by bit."""
    if isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in other)
    return torch.equal(one, other) if isinstance(other, torch.Tensor) else one == other


@fuzz(400, content=altered_bytes(NEW))
def test_altered_archives(folder, content):
    file = folder / 'altered.pth'
    file.write_bytes(content)
    loaded = attempt(lambda: load_checkpoint_file(file), file)
    if loaded is not REFUSED:
        assert same(loaded, STORED)


@fuzz(100, content=altered_bytes(OLD))
def test_altered_files_of_the_old_format(folder, content):
    """They have no checksums, so that weights may differ; nothing else may come up."""
    file = folder / 'old.pth'
    file.write_bytes(content)
    loaded = attempt(lambda: load_checkpoint_file(file), file)
    assert loaded is REFUSED or isinstance(loaded, dict)


class Call:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


PICKLED = st.one_of(
    JSON,
    st.sampled_from(
        [Counter('ab'), {1, 2}, b'', range(3), slice(2), 1j, np.float64(2), np.zeros(2), int, print, Ellipsis]
    ),
    st.builds(Call, st.sampled_from([print, eval, open, getattr, exec, __import__]), st.just('1')),
)


@fuzz(200, value=st.one_of(PICKLED, st.dictionaries(TEXTS, PICKLED, max_size=3)), kind=st.sampled_from('tpnz'))
def test_other_pickles(folder, value, kind):
    file = folder / 'other.pth'
    if kind == 't':
        file.write_bytes(saved({'state_dict': {}, 'other': value}))
    elif kind == 'p':
        file.write_bytes(pickle.dumps(value))
    elif kind == 'n':
        np.save(file.open('wb'), np.array(value, dtype=object), allow_pickle=True)
    else:
        with zipfile.ZipFile(file, 'w') as archive:
            archive.writestr('archive/data.pkl', pickle.dumps(value, protocol=2))
    loaded = attempt(lambda: load_checkpoint_file(file), file)
    assert loaded is REFUSED or isinstance(loaded, dict)
    assert newest_good([file]) in (None, file)


PLAIN = {'state_dict': {'w': 1, 'module.w': 2, 'b': 3}, 'model': {'ema': {}}, 'meta': {'epoch': 1}}


def with_tensors(value):
    """Whole numbers become tensors."""
    if isinstance(value, dict):
        return {key: with_tensors(part) for key, part in value.items()}
    return torch.ones(2) * value if type(value) is int and abs(value) < 9 else value


@fuzz(200, value=st.one_of(altered_json(PLAIN), altered_json(PLAIN['state_dict'])))
def test_wrapped_weights(value):
    checkpoint = with_tensors(value)
    if not isinstance(checkpoint, dict):
        return
    weights = attempt(lambda: unwrap_weights(checkpoint, 'a.pth'), 'a.pth')
    if weights is not REFUSED:
        assert all(isinstance(part, torch.Tensor) for part in weights.values())


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(dual_stream_config())


@fuzz(
    100,
    changes=st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from(['drop', 'shape', 'kind', 'name', 'nan', 'none', 'copy', 'flat'])
        ),
        max_size=3,
    ),
    use=st.sampled_from(['inference', 'start', 'resume']),
)
def test_weights_of_other_models(model, changes, use):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = {name: value.clone() for name, value in weights.items()}
    for number, kind in changes:
        if kind == 'none' and len(changes) > 1:
            continue
        name = sorted(weights)[number % len(weights)]
        value = weights.pop(name)
        if kind == 'drop':
            continue
        weights[f'{name}x' if kind == 'name' else name] = {
            'shape': value.flatten()[:1], 'kind': value.bool(), 'nan': value.float() * float('nan'), 'none': None,
            'flat': value.flatten(),
        }.get(kind, value)  # fmt: skip
    attempt(lambda: fit_weights(model, {'state_dict': weights}, use, 'a.pth'), 'a.pth')
    model.load_state_dict(before)


META = dict(dataset_meta=dict(vocabulary=['<pad>', '<unk>', 'a', 'man'], person_ids=[1, 2]))


@fuzz(30, meta=altered_json(META))
def test_what_a_checkpoint_says_of_its_data(model_files, folder, meta):
    config, checkpoint = model_files
    stored = torch.load(checkpoint)
    torch.save(dict(stored, meta=meta), folder / 'meta.pth')
    encoder = attempt(
        lambda: ModelEncoder(config, folder / 'meta.pth'), folder / 'meta.pth', 'vocabulary', 'vocab_size'
    )
    assert encoder is REFUSED or encoder.encode_texts(['a man']).isfinite().all()
