"""Two writers and four readers of one gallery at once: every answer belongs to one generation, and nobody fails.

``MMTBPS_READ_WRITE_SECONDS`` sets how long; the suite takes a few seconds.
"""

import multiprocessing
import os
import time
import traceback
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_search import PixelEncoder

from mmtbps.search import Searcher

SECONDS = float(os.environ.get('MMTBPS_READ_WRITE_SECONDS', '4'))
CONTEXT = multiprocessing.get_context('fork')


def draw(folder, seed):
    """A folder of five to eleven pictures; its name says how many."""
    rng = np.random.default_rng(seed)
    count = 5 + seed % 7
    folder = folder / f'{seed}-{count}'
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f'{number}.png'), rng.integers(0, 256, (8, 4, 3), np.uint8))
    return folder


def told(work):
    """Let a process say how often it did its work, or why it failed."""

    def run(place, number, end, answers):
        torch.set_num_threads(1)
        done = 0
        try:
            while time.time() < end:
                work(place, number, done)
                done += 1
        except BaseException:
            done = traceback.format_exc()
        answers.put((work.__name__, done))

    return run


def write(place, number, done):
    """Put other pictures in the place of all that are there."""
    folder = draw(place / f'writer{number}', 2 * done + number)
    index = 'FaissHNSW' if done == 0 else None
    searcher = Searcher(PixelEncoder(), index)
    with searcher.gallery.updating(place / 'gallery'):
        stored = searcher.gallery.store.paths()
        searcher.index(folder, num_workers=0, progress=False)
        if stored:
            searcher.gallery.remove(stored)


def read(place, number, done):
    """All images of an answer are of one folder, all of it, with the cosines that its pictures have."""
    encoder = PixelEncoder()
    searcher = Searcher.load(place / 'gallery', encoder)
    for sentence in ('a man', 'a woman'):
        found = searcher.search(sentence, topk=len(searcher))
        (folder,) = {Path(result.path).parent for result in found}
        assert len(found) == int(folder.name.partition('-')[2])
        cosines = encoder.encode_images([result.path for result in found]) @ encoder.encode_texts([sentence]).T
        np.testing.assert_allclose([result.cosine for result in found], cosines[:, 0], atol=1e-5)
        assert sorted((result.cosine for result in found), reverse=True) == [result.cosine for result in found]


@pytest.mark.skipif(os.name != 'posix', reason='forks')
def test_every_answer_belongs_to_one_generation(tmp_path):
    write(tmp_path, 9, 0)
    answers, end = CONTEXT.Queue(), time.time() + SECONDS
    work = [(write, 0), (write, 1), *((read, number) for number in range(4))]
    processes = [CONTEXT.Process(target=told(one), args=(tmp_path, number, end, answers)) for one, number in work]
    for process in processes:
        process.start()
    done = [answers.get(timeout=SECONDS + 120) for _ in processes]
    for process in processes:
        process.join(60)
    failures = [text for _, text in done if isinstance(text, str)]
    assert not failures, failures[0]
    counts = {name: sum(count for kind, count in done if kind == name) for name in ('write', 'read')}
    print(counts)
    assert min(counts.values()) > 5
    # Nothing but the last two generations is left.
    assert len(list((tmp_path / 'gallery' / 'index').iterdir())) <= 2
    assert len(list((tmp_path / 'gallery' / 'features').iterdir())) <= 8
