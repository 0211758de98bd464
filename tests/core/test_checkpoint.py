import os
import pickle
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from torch import nn
from torch.optim.swa_utils import AveragedModel

from mmtbps.core.checkpoint import load_checkpoint_file, reason_of, unwrap_weights, weights_key
from mmtbps.core.files import AtomicLocalBackend, write_atomically


def test_training_state_of_mmengine_survives_the_safe_loader(tmp_path):
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    state = {'history': history, 'score': np.float64(0.5), 'array': np.arange(3), 'weight': torch.ones(2)}
    torch.save(state, tmp_path / 'state.pth')
    loaded = load_checkpoint_file(tmp_path / 'state.pth')
    assert loaded['history'].mean() == 2.0
    assert loaded['history'].statistics('max') == 3.0
    assert loaded['score'] == 0.5
    np.testing.assert_array_equal(loaded['array'], np.arange(3))


class _Attack:
    """Pickles as a call of the given function with the given arguments."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'attack',
    [
        _Attack(os.system, 'true'),
        _Attack(getattr, str, 'format'),
        _Attack(getattr, HistoryBuffer, '__init__'),
        _Attack(getattr, HistoryBuffer, '__subclasses__'),
        _Attack(eval, '1'),
    ],
    ids=['os.system', 'getattr(str)', 'getattr(__init__)', 'getattr(__subclasses__)', 'eval'],
)
def test_anything_else_in_a_pickle_is_refused(tmp_path, attack):
    torch.save({'state_dict': {}, 'evil': attack}, tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match=r'evil\.pth'):
        load_checkpoint_file(tmp_path / 'evil.pth')


def test_missing_truncated_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        load_checkpoint_file(tmp_path / 'gone.pth')
    torch.save({'weight': torch.ones(1000)}, tmp_path / 'whole.pth')
    content = (tmp_path / 'whole.pth').read_bytes()
    (tmp_path / 'cut.pth').write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r'cut\.pth'):
        load_checkpoint_file(tmp_path / 'cut.pth')
    torch.save(torch.ones(2), tmp_path / 'tensor.pth')
    with pytest.raises(
        ValueError, match=r'tensor\.pth cannot be read .* it holds a Tensor, .* take .*whole\.pth, which is whole'
    ):
        load_checkpoint_file(tmp_path / 'tensor.pth')


def test_atomic_write_keeps_the_old_file_when_it_is_interrupted(tmp_path, monkeypatch):
    target = tmp_path / 'checkpoint.pth'
    AtomicLocalBackend().put(b'old', str(target))

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, b'new and longer')
    assert target.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['checkpoint.pth']


def test_atomic_write_replaces_and_respects_the_umask(tmp_path):
    target = tmp_path / 'folder' / 'file'
    old = os.umask(0o027)
    try:
        write_atomically(target, b'one')
        write_atomically(target, b'two')
    finally:
        os.umask(old)
    assert target.read_bytes() == b'two'
    assert target.stat().st_mode & 0o777 == 0o640


def test_plain_pickle_protocol_is_what_the_guard_sees():
    """The guard stands for builtins.getattr: HistoryBuffer must still pickle its methods through it."""
    assert b'getattr' in pickle.dumps(HistoryBuffer([1.0], [1]), protocol=2)


ONE, OTHER = {'a.weight': torch.ones(1)}, {'a.weight': torch.zeros(1)}


@pytest.mark.parametrize(
    ('checkpoint', 'key'),
    [
        (ONE, None),
        ({'module.module._orig_mod.a.weight': ONE['a.weight']}, None),
        ({'state_dict': ONE, 'optimizer': {'state': {}, 'param_groups': []}, 'meta': {}}, 'state_dict'),
        ({'model': {'state_dict': ONE}, 'epoch': 60}, 'model'),
        ({'model': 'ViT-B/16', 'state_dict': ONE}, 'state_dict'),
        # MMEngine's EMAHook stores the averaged weights as state_dict.
        ({'state_dict': ONE, 'ema_state_dict': {'module.a.weight': OTHER['a.weight'], 'steps': OTHER}}, 'state_dict'),
        ({'model_ema': ONE, 'rng_state': torch.ones(3)}, 'model_ema'),
    ],
)
def test_weights_are_found_in_their_wrappers(checkpoint, key):
    assert unwrap_weights(checkpoint) == ONE
    assert weights_key(checkpoint) == key


def test_a_real_averaged_model():
    model = nn.Linear(2, 2)
    weights = unwrap_weights(AveragedModel(nn.DataParallel(model)).state_dict())
    assert torch.equal(weights['weight'], model.weight)
    assert weights.keys() == {'weight', 'bias', 'n_averaged'}


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ({'model': ONE, 'model_ema': OTHER}, r'holds several sets of weights: model, model_ema\. Save the one'),
        ({'model': ONE, 'state_dict': OTHER}, 'several sets of weights: state_dict, model'),
        ({'a.weight': ONE['a.weight'], 'module.a.weight': OTHER['a.weight']}, r'has a\.weight twice'),
        ({'epoch': 3, 'a.weight': ONE['a.weight']}, r"holds no plain weights: \['epoch'\] are no tensors"),
        ({}, 'holds no plain weights: it is empty'),
    ],
)
def test_what_is_no_one_set_of_weights_is_refused(checkpoint, message):
    with pytest.raises(ValueError, match=f'a.pth {message}' if message.startswith('holds') else message):
        unwrap_weights(checkpoint, 'a.pth')


def test_versions_of_modules_come_along(tmp_path):
    """By them torch knows, for instance, whether norms counted their batches yet."""
    model = nn.Sequential(nn.BatchNorm1d(2))
    torch.save({'state_dict': nn.DataParallel(model).state_dict()}, tmp_path / 'a.pth')
    weights = unwrap_weights(load_checkpoint_file(tmp_path / 'a.pth'))
    assert weights._metadata == model.state_dict()._metadata
    assert weights._metadata['0'] == {'version': 2}


@settings(max_examples=150, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_no_flipped_bit_alters_weights_without_a_word(tmp_path_factory, place, bit):
    folder = tmp_path_factory.mktemp('flipped')
    stored = {'state_dict': {f'w{n}': torch.arange(40.0) + n for n in range(5)}, 'meta': {'iter': 3}}
    torch.save(stored, folder / 'whole.pth')
    content = bytearray((folder / 'whole.pth').read_bytes())
    (folder / 'whole.pth').unlink()
    content[int(place * len(content))] ^= 1 << bit
    (folder / 'flipped.pth').write_bytes(content)
    with suppress(ValueError):
        torch.testing.assert_close(load_checkpoint_file(folder / 'flipped.pth'), stored, rtol=0, atol=0)


def test_a_part_that_is_marked_as_a_folder_is_not_read_as_nothing(tmp_path):
    torch.save({'state_dict': {'weight': torch.ones(40)}}, tmp_path / 'a.pth')
    content = bytearray((tmp_path / 'a.pth').read_bytes())
    entry = content.index(b'PK\x01\x02', content.index(b'a/data/0', content.index(b'PK\x01\x02')) - 60)
    content[entry + 38] ^= 0x10  # external attributes
    (tmp_path / 'b.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r'b\.pth cannot be read .* checksum of its part .*data/0 is wrong'):
        load_checkpoint_file(tmp_path / 'b.pth')


def test_a_reason_of_several_lines_is_its_first():
    with pytest.raises(TypeError) as error:
        torch.zeros(1).set_(torch.zeros(1).untyped_storage(), 0, 1, (1, 1))
    assert '\n' in str(error.value)
    assert '\n' not in reason_of(error.value)
    assert reason_of(error.value).startswith('set_() received an invalid combination of arguments')
