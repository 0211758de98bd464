"""The web page, used in a real browser without a screen."""

import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest
from trained_search import describe, draw_person, draw_persons, write_trained_model
from web_page import Page, place_of_shots, start_browser

import mmtbps
from mmtbps.search import MetadataSource, Searcher

ROOT = Path(mmtbps.__file__).parents[1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A trained model, its index of nine persons, and one of three of them."""
    folder = tmp_path_factory.mktemp('web')
    paths = draw_persons(folder / 'crops')
    model = write_trained_model(folder / 'model', paths)
    metadata = MetadataSource(pattern=r'/(?P<person_id>\d)/')
    for name, some in (('all', paths), ('few', paths[:9])):
        Searcher.from_config(*model).index(some, folder / name, metadata, num_workers=0, progress=False)
    return folder


@pytest.fixture(scope='module')
def server(folder):
    """The tool's process, in an environment with the worst settings that Gradio reads; its address."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    (folder / 'tmp').mkdir()
    environment = {
        **os.environ, 'TMPDIR': str(folder / 'tmp'), 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore',
        'OMP_NUM_THREADS': '1', 'GRADIO_ALLOWED_PATHS': '/', 'GRADIO_SHARE': 'True',
        'GRADIO_ANALYTICS_ENABLED': 'True', 'GRADIO_SERVER_NAME': '0.0.0.0',
    }  # fmt: skip
    command = [sys.executable, ROOT / 'tools/web_demo.py', 'all', 'few', '--port', str(port), '--max-megabytes', '0.02']
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = ''
    while not (found := re.search(r'Open (http://\S+/) in a browser', said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    assert found[1] == f'http://127.0.0.1:{port}/'
    yield process, found[1]
    process.kill()
    process.wait()


@pytest.fixture(scope='module')
def browser():
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope='module')
def shots(tmp_path_factory, request):
    return place_of_shots(tmp_path_factory, request)


@pytest.fixture
def page(browser, server, shots):
    return Page(browser, server[1], shots)


def people(captions):
    return [int(re.search(r'^person_id (\d)$', caption, re.MULTILINE)[1]) for caption in captions]


def test_sentence_then_image(page):
    page.type(describe('red', 'blue'))  # person 2
    page.message('The best 12 of 27 images for: a man in a red coat with a blue hat')
    captions = page.captions()
    assert people(captions)[:3] == [2, 2, 2]
    assert 2 not in people(captions)[3:]
    scores = [float(caption.split('\n')[0].split(' · ')[1]) for caption in captions]
    assert scores == sorted(scores, reverse=True)
    page.shoot('sentence')
    other = people(captions)[3]
    page.driver.find_elements('css selector', '#found button')[3].click()
    page.message('The best 12 of 27 images like ')
    assert people(page.captions())[:3] == [other] * 3
    assert page.captions()[0].startswith('1 · 1.000')
    assert page.one('#message img').get_attribute('src').startswith('data:image/png')
    page.shoot('image')


def test_example_index_and_reranking(page):
    page.one('#examples button').click()
    page.message('The best 12 of 27 images for: A woman in a red coat')
    assert 'words that the model does not know: carries, white, handbag' in page.message('The best')
    choose(page, 'index', 'few')
    page.one('#options button').click()
    choose(page, 'rerank', 'NeighborJaccard')
    page.type(describe('red', 'green'))
    page.message('The best 9 of 9 images')
    assert people(page.captions())[:3] == [1, 1, 1]
    assert float(page.captions()[0].split('\n')[0].split(' · ')[1]) > 1  # cosine and a share of common neighbours
    page.shoot('options')


def choose(page, dropdown, option):
    page.one(f'#{dropdown} input').click()
    page.one(f'#{dropdown} [role=option][aria-label="{option}"]').click()


def test_an_added_image_is_found(page, tmp_path):
    new = draw_person(tmp_path / 'new one.png', 'green', 'blue', seed=999)
    (tmp_path / 'text.png').write_text('<script>alert(1)</script>', encoding='utf-8')
    page.one('#options button').click()
    page.upload(new, tmp_path / 'text.png')
    told = page.message('1 added to all, which has 28 images now.')
    assert 'text.png is not an image of an accepted type' in told
    (caption,) = page.captions()
    assert re.fullmatch(r'added\nnew_one-[0-9a-f…]+\.png', caption)
    page.shoot('added')
    page.type(describe('green', 'blue'))
    page.message('The best 12 of 28 images')
    best = page.captions()[:4]
    assert sum('person_id 5' in caption for caption in best) == 3
    assert sum('person' not in caption for caption in best) == 1
    page.shoot('found')


def test_too_large_a_file_is_refused_aloud(page, tmp_path):
    (tmp_path / 'large.png').write_bytes(bytes(50_000))
    page.one('#options button').click()
    page.upload(tmp_path / 'large.png')
    page.until(lambda: 'size' in page.driver.find_element('tag name', 'body').text, 'a word on the size')
    page.shoot('too_large')


@pytest.mark.parametrize(
    ('sentence', 'told'),
    [
        ('', 'Describe the person first'),
        (' ?! ', 'Describe the person first'),
        ('red ' * 300, 'The sentence has 1199 characters; shorten it to at most 1000.'),
        ('xyzzy', 'The model knows none of these words'),
        ('a man <img src=x onerror=alert(1)> ![x](http://example.com/x.png)', 'The best 12 of'),
    ],
)
def test_sentences_that_are_none(page, sentence, told):
    page.type(sentence)
    page.message(told)
    assert not page.driver.find_elements('css selector', '#message img')
    assert bool(page.captions()) == told.startswith('The best')
    page.shoot(re.sub(r'\W+', '_', told))


def test_only_copies_are_served(page, folder, server):
    page.type(describe('red', 'red'))
    page.message('The best')
    shown = page.one('#found img').get_attribute('src')
    assert urlopen(shown).read().startswith(b'\x89PNG')
    served = Path(shown.split('file=')[1])
    assert list((folder / 'tmp').glob('mmtbps_web_*')) == [served.parents[2]]
    crop = next((folder / 'crops').rglob('*.png'))
    for path in (
        '/etc/passwd',
        crop,
        folder / 'all' / 'index.json',
        f'{served.parent}/../../../../../crops/{crop.name}',
    ):
        for crafted in (str(path), quote(str(path), safe='')):
            with pytest.raises(HTTPError, match=r'40[34]'):
                urlopen(f'{server[1]}gradio_api/file={crafted}')


def test_nothing_but_this_machine_was_asked(page, server):
    """For all that was done above, too: the browser's log is read here for the first time."""
    events = [json.loads(entry['message'])['message'] for entry in page.driver.get_log('performance')]
    asked = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
    asked += [event['params']['url'] for event in events if event['method'] == 'Network.webSocketCreated']
    outside = {url[:80] for url in asked if urlsplit(url).scheme not in ('data', 'blob')}
    assert len(outside) > 10
    assert {urlsplit(url).netloc for url in outside} == {urlsplit(server[1]).netloc}


def test_the_end_leaves_nothing_behind(server, folder):
    """Last in this file: it ends the page."""
    process, _ = server
    assert list((folder / 'tmp').glob('mmtbps_web_*'))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert not list((folder / 'tmp').glob('mmtbps_web_*'))
    assert not (folder / '.gradio').exists()


def test_an_index_that_is_none(tmp_path):
    main = runpy.run_path(str(ROOT / 'tools/web_demo.py'))['main']
    with pytest.raises(FileNotFoundError, match='nowhere'):
        main([str(tmp_path / 'nowhere')])
