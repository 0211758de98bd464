"""A folder belongs to one run."""

import multiprocessing

import pytest

from mmtbps.engine.run_folder import sole_run


def hold(folder, ready, done):
    with sole_run(folder):
        ready.set()
        done.wait(60)


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    context = multiprocessing.get_context('fork')
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready, done))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(RuntimeError, match='Another process is training in'), sole_run(tmp_path):
            pass
    finally:
        done.set()
        process.join()
    with sole_run(tmp_path):
        pass


def test_a_run_that_is_refused_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), sole_run(tmp_path / 'new'):
        raise KeyError('misspelt')
    assert not (tmp_path / 'new').exists()
    with sole_run(tmp_path / 'new'):
        (tmp_path / 'new/log').touch()
    assert (tmp_path / 'new/log').exists()


def test_the_folder_of_another_run_is_refused(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/epoch_3.pth').write_bytes(b'')
    for origin in (None, tmp_path / 'b/epoch_1.pth'):
        with (
            pytest.raises(FileExistsError, match=r'holds another run \(epoch_3\.pth\)'),
            sole_run(tmp_path / 'a', origin),
        ):
            pass
    with sole_run(tmp_path / 'a', tmp_path / 'a/epoch_3.pth'), sole_run(tmp_path / 'b', tmp_path / 'a/epoch_3.pth'):
        pass
