"""The web page under load: clients search, click and add images at once; no request fails and every answer is right.

``MMTBPS_LOAD_CLIENTS`` and ``MMTBPS_LOAD_SECONDS`` set how many and how long; the suite has four for a few seconds.
"""

import functools
import hashlib
import html
import itertools
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from trained_search import COLOURS, describe, draw_person, draw_persons, write_trained_model

import mmtbps
from mmtbps.registry import RERANKERS
from mmtbps.search import MetadataSource, Searcher
from mmtbps.search.web.hits import shorten

pytest.importorskip('gradio', reason='the web page is not tested: install .[tests]')
httpx = pytest.importorskip('httpx', reason='the web page is not tested: install .[tests]')
if not Path('/proc/self/status').exists():
    pytest.skip('memory is read from /proc, which Linux alone has', allow_module_level=True)

ROOT = Path(mmtbps.__file__).parents[1]
CLIENTS = int(os.environ.get('MMTBPS_LOAD_CLIENTS', '4'))
SECONDS = float(os.environ.get('MMTBPS_LOAD_SECONDS', '4'))
PATIENCE = 120
"""Seconds until a request without an answer has failed."""

SENTENCES = [
    *(describe(*colours) for colours in itertools.product(COLOURS, repeat=2)),
    'red',
    'A woman in a green coat carries a handbag.',
    'a man <b>in</b> a blue hat & a bag',
    'in a red coat with a green bag ' * 30,
]
RANKINGS = ['', *sorted(RERANKERS.module_dict)]
COUNTS = [1, 12, 27]
KINDS = ['enter', 'click', 'growing', 'add']


@dataclass(frozen=True)
class Done:
    """A request, its answer and how long it took; an image is told by its pixels."""

    kind: str
    gallery: str
    query: str
    rerank: str
    topk: int
    message: str
    shown: list
    seconds: float


def look(picture):
    """Tell a picture by its pixels."""
    return hashlib.sha256(picture.tobytes()).hexdigest()


def caption(result):
    person = result.metadata.get('person_id')
    told = [] if person is None else [f'person_id {person}']
    return '\n'.join([f'{result.rank} · {result.score:.3f}', shorten(Path(result.path).name), *told, folder(result)])


def folder(result):
    return f'folder {result.metadata["folder"]}'


def connect(address):
    return httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False)


class Visitor:
    """Sends what a browser sends. Gradio's own client does not: the page offers it no endpoint."""

    def __init__(self, client):
        self.client = client
        self.session = secrets.token_hex(8)
        self.looks = {}
        client.get('/').raise_for_status()
        config = client.get('/config').raise_for_status().json()
        names = {part['id']: part['props'].get('elem_id') for part in config['components']}
        self.events = {
            (names.get(part), event): (dependency['id'], part)
            for dependency in config['dependencies']
            for part, event in dependency['targets']
        }

    def cause(self, event, data, details=None):
        """Cause an event and wait for its answer: the message and the shown images with captions."""
        number, trigger = self.events[event]
        body = dict(data=data, event_data=details, fn_index=number, trigger_id=trigger, session_hash=self.session)
        begin = time.perf_counter()
        joined = self.client.post('/gradio_api/queue/join', json=body).raise_for_status().json()
        output = self.wait_for(joined['event_id'])
        seconds = time.perf_counter() - begin
        told, found, *_ = output['data']
        message = re.fullmatch(
            '<div class="told found" role="status" data-link="[^"]*">(?:<img[^>]*>)?<span>(.*)</span></div>', told, re.S
        )
        assert message, f'the page says {told}'
        shown = [(self.look(one['image']['url']), one['caption']) for one in found['value']]
        return html.unescape(message[1]), shown, seconds

    def wait_for(self, event):
        with self.client.stream('GET', '/gradio_api/queue/data', params=dict(session_hash=self.session)) as lines:
            lines.raise_for_status()
            for line in lines.iter_lines():
                told = json.loads(line.removeprefix('data:')) if line else {}
                if told.get('event_id') == event and told['msg'] == 'process_completed':
                    assert told['success'], told
                    return told['output']
        raise AssertionError('the page closed the connection without an answer')

    def look(self, url):
        """Fetch an image, unless this visitor has it."""
        if url not in self.looks:
            content = np.frombuffer(self.client.get(url).raise_for_status().content, np.uint8)
            self.looks[url] = look(cv2.imdecode(content, cv2.IMREAD_COLOR))
        return self.looks[url]

    def search(self, gallery, sentence, rerank, topk, event=('search', 'click')):
        answer = self.cause(event, [sentence, gallery, rerank, topk, '', ''])
        return Done('sentence', gallery, sentence, rerank, topk, *answer)

    def click(self, searched, place):
        """Click one of the images that the last search has found."""
        choice = searched.gallery, searched.rerank, searched.topk
        answer = self.cause(('found', 'select'), [None, *choice, '', ''], dict(index=place, value=None))
        return Done('image', searched.gallery, searched.shown[place][0], *choice[1:], *answer)

    def add(self, gallery, paths):
        begin = time.perf_counter()
        files = [('files', (path.name, path.read_bytes(), 'image/png')) for path in paths]
        stored = self.client.post('/gradio_api/upload', files=files).raise_for_status().json()
        sent = time.perf_counter() - begin
        data = [
            dict(path=there, orig_name=path.name, meta={'_type': 'gradio.FileData'})
            for there, path in zip(stored, paths, strict=True)
        ]
        message, shown, seconds = self.cause(('upload', 'upload'), [data, gallery])
        return Done('upload', gallery, '', '', len(paths), message, shown, sent + seconds)


class Crowd:
    """Clients that use the page at once; every second one adds images to the gallery ``growing``."""

    def __init__(self, address, uploads):
        self.address, self.uploads = address, uploads
        self.chances = [random.Random(number) for number in range(CLIENTS)]
        self.done, self.failures, self.added = [], [], set()

    def warm_up(self):
        """Let every client do everything once, each with a re-ranker of its own."""
        self.together(lambda number: self.visit(number, [(RANKINGS[number % len(RANKINGS)], kind) for kind in KINDS]))

    def load(self, seconds):
        """Let every client do anything, for some seconds; a visitor leaves after ten steps and another one comes."""
        end = time.monotonic() + seconds

        def client(number):
            choice = self.chances[number].choice
            while time.monotonic() < end and len(self.failures) < 20:
                steps = ((choice(RANKINGS), choice(KINDS)) for _ in range(10) if time.monotonic() < end)
                self.visit(number, steps)

        self.together(client)

    def together(self, client):
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))

    def visit(self, number, steps):
        try:
            with connect(self.address) as connection:
                visitor = Visitor(connection)
                for rerank, kind in steps:
                    self.do(visitor, number, rerank, kind)
        except Exception:
            self.failures.append(traceback.format_exc())

    def do(self, visitor, number, rerank, kind):
        chance = self.chances[number]
        asked = chance.choice(SENTENCES), rerank, chance.choice(COUNTS)
        if kind == 'enter':
            self.done.append(visitor.search('still', *asked, event=('sentence', 'submit')))
        elif kind == 'click':
            searched = visitor.search('still', *asked)
            self.done += [searched, visitor.click(searched, chance.randrange(len(searched.shown)))]
        elif kind == 'add' and number % 2 == 0:
            self.done.append(visitor.add('growing', self.draw(chance)))
        else:
            self.done.append(visitor.search('growing', *asked))

    def draw(self, chance):
        """One to three images; the first one may have been added before, perhaps by two clients at this moment."""
        seeds = [chance.randrange(100, 1000), *(chance.randrange(1000, 10**9) for _ in range(chance.randrange(3)))]
        paths = []
        for seed in seeds:
            path = self.uploads / secrets.token_hex(8) / f'{seed}.png'
            paths.append(draw_person(path, *random.Random(seed).choices([*COLOURS], k=2), seed))
            self.added.add(look(cv2.imread(str(path))))
        return paths


@pytest.fixture
def galleries(tmp_path):
    """Two galleries of a trained model: one of 27 images that nobody changes, and one of nine that grows."""
    paths = draw_persons(tmp_path / 'crops')
    model = write_trained_model(tmp_path / 'model', paths, steps=60)
    metadata = MetadataSource(pattern=r'/(?P<person_id>\d)/')
    for name, some in (('still', paths), ('growing', paths[::3])):
        searcher = Searcher.from_config(*model, device='cpu')
        searcher.index(some, tmp_path / name, metadata, num_workers=0, progress=False)
    return tmp_path


@pytest.fixture
def server(galleries):
    """The tool's process, its address and its log file."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    (galleries / 'tmp').mkdir()
    environment = {
        **os.environ, 'TMPDIR': str(galleries / 'tmp'), 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore',
        'OMP_NUM_THREADS': '1',
    }  # fmt: skip
    command = [sys.executable, ROOT / 'tools/web_demo.py', 'still', 'growing', '--port', str(port), '--device', 'cpu']
    log = galleries / 'log.txt'
    with log.open('wb') as file:
        process = subprocess.Popen(command, cwd=galleries, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + PATIENCE
        while 'in a browser' not in log.read_text(encoding='utf-8'):
            assert process.poll() is None, log.read_text(encoding='utf-8')
            assert time.monotonic() < end, log.read_text(encoding='utf-8')
            time.sleep(0.05)
        yield process, f'http://127.0.0.1:{port}', log
    finally:
        process.kill()
        process.wait()


def megabytes(process):
    """Resident memory of a process."""
    told = Path(f'/proc/{process.pid}/status').read_text(encoding='ascii')
    return int(re.search(r'VmRSS:\s+(\d+) kB', told)[1]) / 1024


class Truth:
    """What the searcher answers when it is asked alone."""

    def __init__(self, folder):
        self.searcher = Searcher.load(folder, device='cpu')
        self.looks = {path: look(cv2.imread(path)) for path in self.searcher.gallery.store.paths()}
        self.paths = {one: path for path, one in self.looks.items()}

    @functools.cache  # noqa: B019
    def answer(self, kind, query, rerank, topk):
        options = dict(topk=min(topk, len(self.searcher)), rerank=rerank or None)
        if kind == 'image':
            found = self.searcher.search_by_image(self.paths[query], **options)
        else:
            found = self.searcher.search(' '.join(query.split()), **options)
        return [(self.looks[result.path], caption(result)) for result in found]

    def fault(self, done):
        """Tell how an answer differs from the truth, or None."""
        about = f'like {Path(self.paths[done.query]).name}' if done.kind == 'image' else f'for: {done.query.strip()}'
        truth = self.answer(done.kind, done.query, done.rerank, done.topk)
        message = f'The best {len(truth)} of {len(self.searcher)} images {about}'
        # Words that the model does not know follow in a line of their own.
        if done.message.split('\n')[0] != message or done.shown != truth:
            return f'{done} is not {message} {truth}'
        return None


def implausible(done, known):
    """Tell what is odd about an answer of the growing gallery, or None."""
    if done.kind == 'upload':
        right = re.search(r'growing, which has \d+ images now', done.message) and len(done.shown) == done.topk
    else:
        counts = re.match(r'The best (\d+) of (\d+) images', done.message)
        right = (
            counts
            and min(done.topk, 9) <= int(counts[1]) == len(done.shown) <= min(done.topk, int(counts[2]))
            and [text.split(' · ')[0] for _, text in done.shown] == [f'{n + 1}' for n in range(len(done.shown))]
            and len({one for one, _ in done.shown}) == len(done.shown)
        )
    return None if right and {one for one, _ in done.shown} <= known else f'odd: {done}'


def test_load(galleries, server, capsys):
    process, address, log = server
    crowd = Crowd(address, galleries / 'sent')
    crowd.warm_up()
    warm = megabytes(process)
    before = len(crowd.done)
    crowd.load(SECONDS)
    loaded = megabytes(process)

    # The answers of now, when nobody adds images any more, are those of the folder that was written.
    with connect(address) as connection:
        visitor = Visitor(connection)
        last = [visitor.search('growing', text, rerank, 60) for text in SENTENCES[::4] for rerank in RANKINGS]
    still, grown = Truth(galleries / 'still'), Truth(galleries / 'growing')
    known = crowd.added | set(grown.looks.values())
    faults = [still.fault(done) if done.gallery == 'still' else implausible(done, known) for done in crowd.done]
    faults += [grown.fault(done) for done in last]
    failures = crowd.failures + [fault for fault in faults if fault]

    seconds = [done.seconds for done in crowd.done[before:]]
    middle, slow = np.percentile(seconds, [50, 95]) if seconds else (np.nan, np.nan)
    with capsys.disabled():
        print(
            f'\nload of the web page: {CLIENTS} clients, {SECONDS:g} s: {len(seconds)} requests, '
            f'{len(failures)} failures, median {1000 * middle:.0f} ms, 95th percentile {1000 * slow:.0f} ms, '
            f'memory {warm:.0f} MB before and {loaded:.0f} MB after'
        )
    assert not failures, '\n'.join(failures[:5])
    assert seconds
    assert {done.kind for done in crowd.done} == {'sentence', 'image', 'upload'}
    assert len(grown.looks) == 9 + len(crowd.added)
    assert 'Traceback' not in log.read_text(encoding='utf-8')
    assert loaded <= 1.5 * warm + 100

    assert list((galleries / 'tmp').glob('mmtbps_web_*'))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE) == 0
    assert not list((galleries / 'tmp').glob('mmtbps_web_*'))
    assert 'Traceback' not in log.read_text(encoding='utf-8')
