"""Indexing that is killed, and several processes that write."""

import multiprocessing
import os
import signal

import cv2
import numpy as np
import pytest
from filelock import FileLock
from tiny_search import PixelEncoder, draw_crops

from mmtbps.search import Searcher

BLOCK = 4


class FatalEncoder(PixelEncoder):
    """Kills its process when it is about to encode the tenth image."""

    def embed_images(self, images):
        if self.encoded == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_images(images)


def index(encoder, crops, folder=None, workers=0):
    searcher = Searcher(encoder, 'FaissFlat')
    return searcher, searcher.index(crops, folder, num_workers=workers, batch_size=1, block_size=BLOCK, progress=False)


def test_a_kill_loses_the_block_at_hand_and_a_restart_goes_on(tmp_path):
    crops, folder = draw_crops(tmp_path / 'crops', persons=5), tmp_path / 'index'
    process = multiprocessing.get_context('fork').Process(target=index, args=(FatalEncoder(), crops, folder, 1))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(FileNotFoundError, match='finish one whose indexing was interrupted'):
        Searcher.load(folder)
    # A block that was being written, which no manifest names.
    (folder / 'features' / '000002.safetensors').write_bytes(b'half of it')
    searcher, report = index(PixelEncoder(), crops, folder)
    assert (report.unchanged, report.added) == (8, 7)
    assert searcher.encoder.encoded == 7
    whole, _ = index(PixelEncoder(), crops)
    assert searcher.search('a man', topk=15) == whole.search('a man', topk=15)
    assert Searcher.load(folder).search('a man', topk=15) == whole.search('a man', topk=15)


def test_only_one_process_writes_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr('mmtbps.search.update._PATIENCE', 0.2)
    crops, folder = draw_crops(tmp_path / 'crops'), tmp_path / 'index'
    folder.mkdir()
    with FileLock(folder / '.lock'), pytest.raises(RuntimeError, match='Another process is writing the gallery'):
        index(PixelEncoder(), crops, folder)
    assert os.listdir(folder) == ['.lock']


def test_what_another_one_wrote_meanwhile_is_kept(tmp_path):
    crops, folder = draw_crops(tmp_path / 'crops'), tmp_path / 'index'
    searcher, _ = index(PixelEncoder(), crops / 'cam0', folder)
    index(PixelEncoder(), crops / 'cam1', folder)
    path = tmp_path / 'upload.png'
    cv2.imwrite(str(path), np.full((20, 10, 3), 9, np.uint8))
    searcher.index([path], num_workers=0, progress=False)
    assert len(searcher) == len(Searcher.load(folder)) == 9
    assert searcher.search('a man', topk=9) == Searcher.load(folder).search('a man', topk=9)
