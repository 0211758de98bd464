import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmtbps.core.checkpoint import load_checkpoint_file
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
    with pytest.raises(ValueError, match=r'tensor\.pth holds a Tensor'):
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
