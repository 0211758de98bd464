"""The web page: filters, links, files to take away, telephones, keyboards, dark screens, programs."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tiny_search import PixelEncoder, draw_crops
from web_page import Page, place_of_shots, start_browser

import mmtbps
from mmtbps.search import MetadataSource, Searcher, SearchResult
from mmtbps.search.web import Galleries, Query

ROOT = Path(mmtbps.__file__).parents[1]
DOCS = (ROOT / 'docs' / 'web_demo.md').read_text(encoding='utf-8')
SERVER = """
import sys
from tiny_search import PixelEncoder
from mmtbps.search import Searcher
from mmtbps.search.web import Galleries, UploadLimits, serve
searchers = {name: Searcher.load(name, encoder=PixelEncoder()) for name in ('all', 'bare')}
serve(Galleries(searchers, UploadLimits()), port=int(sys.argv[1]))
"""
ENTER, TAB = '\ue007', '\ue004'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A gallery with metadata, and one that has none."""
    folder = tmp_path_factory.mktemp('page')
    crops = draw_crops(folder / 'crops')
    metadata = MetadataSource(pattern=r'(?P<camera>cam\d)/p(?P<person_id>\d)_t(?P<time>\d+)')
    Searcher(PixelEncoder()).index(crops, folder / 'all', metadata, num_workers=0, progress=False)
    Searcher(PixelEncoder()).index(crops / 'cam0', folder / 'bare', num_workers=0, progress=False)
    return folder


@pytest.fixture(scope='module')
def answers(folder):
    """What the page should answer."""
    return Galleries({name: Searcher.load(folder / name, encoder=PixelEncoder()) for name in ('all', 'bare')})


@pytest.fixture(scope='module')
def address(folder):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, PYTHONPATH=f'{ROOT}:{ROOT}/tests', OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore')
    command = [sys.executable, '-c', SERVER, str(port)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    while not lines or 'Open' not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], ''.join(lines)
    yield f'http://127.0.0.1:{port}/'
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.fixture(scope='module')
def browser(folder):
    driver = start_browser()
    there = dict(behavior='allow', downloadPath=str(folder / 'downloads'))
    driver.execute_cdp_cmd('Browser.setDownloadBehavior', there)
    yield driver
    driver.quit()


@pytest.fixture(scope='module')
def shots(tmp_path_factory, request):
    return place_of_shots(tmp_path_factory, request)


@pytest.fixture
def page(browser, address, shots):
    return Page(browser, address, shots)


def shown(answer):
    return [hit.caption for hit in answer.hits]


def test_enter_searches_with_the_sentence_and_with_the_filter(page, answers):
    page.one('#sentence textarea').send_keys(f'a man{ENTER}')
    page.message('The best 12 of 12 images for: a man')
    assert page.captions() == shown(answers.ask(Query('a man')))
    assert re.fullmatch(
        r'1 · \d\.\d{3}\np\d_t\d+\.png\nperson_id \d\nfolder cam\d\ncamera cam\d\ntime \d+', page.captions()[0]
    )
    page.one('#options button').click()
    where = page.one('#where textarea')
    assert where.get_attribute('placeholder') == answers.example_filter('all') == 'camera = cam1, person_id >= 2'
    where.send_keys(f'camera = cam2, time >= 10{ENTER}')
    page.message('The best 4 of 12 images for: a man\nfilter camera = cam2, time >= 10')
    assert page.captions() == shown(answers.ask(Query('a man', where='camera = cam2, time >= 10')))
    page.one('#least input').send_keys(f'0.999{ENTER}')
    page.message('No image was found for: a man\nfilter camera = cam2, time >= 10 · least score 0.999')
    assert not page.captions()
    assert not page.is_seen('#table')
    where.send_keys(f', nonsense{ENTER}')
    page.message("'nonsense' is not a condition; write one such as 'camera = c1'")
    page.shoot('filter')


def test_a_link_asks_what_the_page_asked(page, answers):
    query = Query('a "red" <b>coat</b> & a hat', 'all', 3, 'camera != cam0', -0.9, 'QueryExpansion')
    open_link(page, query.link)
    page.message('The best 3 of 12 images for: a "red" <b>coat</b> & a hat\nfilter camera != cam0 · least score -0.9')
    assert page.captions() == shown(answers.ask(query))
    assert page.one('#sentence textarea').get_attribute('value') == query.sentence
    given = parse_qs(urlsplit(page.driver.current_url).query)
    assert given == parse_qs(query.link[1:])
    page.one('#sentence textarea').send_keys(f' too{ENTER}')
    page.message('The best 3 of 12 images for: a "red" <b>coat</b> & a hat too\nfilter camera != cam0')
    page.until(lambda: 'too' in page.driver.current_url, 'the address')
    page.driver.execute_cdp_cmd('Browser.grantPermissions', dict(permissions=['clipboardReadWrite']))
    page.one('#link').click()
    page.until(lambda: page.one('#link').text == 'Link copied', 'a word on the copied link')
    copied = page.driver.execute_async_script('navigator.clipboard.readText().then(arguments[0])')
    assert copied == page.driver.current_url
    assert parse_qs(urlsplit(copied).query) == {**given, 'sentence': [f'{query.sentence} too']}


def open_link(page, link):
    page.driver.get('about:blank')
    page.driver.get(page.address + link)


@pytest.mark.parametrize(
    ('link', 'told'),
    [
        ('?sentence=a+man&images=1000', 'images must be a whole number from 1 to 60, got 1000.'),
        ('?sentence=a+man&gallery=/etc', "gallery must be one of all, bare, got '/etc'."),
        ('?sentence=<img src=x onerror=alert(1)>&where=no', "'no' is not a condition"),
        ('?images=5', 'Type a sentence'),
    ],
)
def test_links_are_checked_as_what_is_typed(page, link, told):
    open_link(page, link)
    page.message(told)
    assert not page.captions()


def test_table_and_images_are_taken_away(page, folder, answers):
    open_link(page, '?sentence=a+man&images=5')
    page.message('The best 5')
    results = answers.ask(Query('a man', images=5)).results
    page.one('#table').click()
    file = folder / 'downloads' / 'answer.csv'
    page.until(lambda: file.is_file() and file.stat().st_size, 'the table')  # the browser begins with an empty file
    rows = list(csv.DictReader(file.open(encoding='utf-8', newline='')))
    assert [*rows[0]] == ['rank', 'score', 'path', 'folder', 'camera', 'person_id', 'time']
    assert [row['path'] for row in rows] == [str(Path(one.path).relative_to(folder / 'crops')) for one in results]
    page.one('#archive').click()
    file = folder / 'downloads' / 'answer.zip'
    page.until(lambda: file.is_file() and zipfile.is_zipfile(file), 'the archive')
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f'{one.rank:03}_{Path(one.path).name}' for one in results] + ['answer.csv']


def test_an_uploaded_image_is_searched_with(page, folder, tmp_path):
    crop = folder / 'crops' / 'cam1' / 'p2_t10.png'
    page.upload(crop, button='image')
    page.message('The best 12 of 12 images like your image p2_t10.png')
    assert page.captions()[0].startswith('1 · 1.000\np2_t10.png')
    assert page.one('#message img').get_attribute('src').startswith('data:image/png')
    assert page.is_seen('#table')
    assert not page.is_seen('#link')
    assert not (folder / 'all' / 'uploads').exists()
    (tmp_path / 'text.png').write_text('none', encoding='utf-8')
    page.upload(tmp_path / 'text.png', button='image')
    page.message('text.png is not an image of an accepted type')
    page.shoot('upload')


def view(page, width, height):
    metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
    page.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)


def test_a_phone_shows_the_first_row_without_scrolling(page):
    view(page, 390, 844)
    page.one('#sentence textarea').send_keys(f'a man in a red coat and a hat{ENTER}')
    page.message('The best')
    page.until(page.captions, 'the captions')
    page.until(lambda: not page.is_seen('#examples'), 'the room of the examples')
    read = """return [scrollY, document.documentElement.scrollWidth,
        ...[...document.querySelectorAll('#found button')]
            .slice(0, 3).map(one => one.getBoundingClientRect().bottom)]"""
    seen = [page.driver.execute_script(read)]
    page.shoot('phone')
    page.driver.find_elements('css selector', '#found button')[1].click()
    page.message('The best 12 of 12 images like')
    page.until(lambda: page.captions()[0].startswith('1 · 1.000'), 'the clicked image')
    seen.append(page.driver.execute_script(read))
    page.shoot('phone_like')
    view(page, 1400, 1000)
    for scrolled, width, *bottoms in seen:
        assert_first_row_is_seen(scrolled, width, bottoms)


def assert_first_row_is_seen(scrolled, width, bottoms):
    assert scrolled == 0
    assert width <= 390
    assert len(set(bottoms)) == 1
    assert bottoms[0] <= 844


def test_the_tabulator_reaches_everything_and_shows_where_it_is(page):
    page.one('#options button').click()
    page.one('#sentence textarea').send_keys(f'a man{ENTER}')
    page.message('The best')
    page.until(page.captions, 'the captions')
    read = """const now = document.activeElement, style = getComputedStyle(now);
        return [now.closest('[id]')?.id, style.outlineStyle, style.outlineWidth]"""
    reached, unseen = set(), set()
    for _ in range(40):
        page.driver.switch_to.active_element.send_keys(TAB)
        name, style, width = page.driver.execute_script(read)
        reached.add(name)
        if style == 'none' or width == '0px':
            unseen.add(name)
        if name == 'found':
            break
    names = {'search', 'image', 'index', 'examples', 'options', 'where', 'least', 'topk', 'upload', 'link', 'table'}
    page.shoot('focus')
    assert {*names, 'archive', 'found'} <= {re.sub('^(range_id|component)-.*', 'topk', name or '') for name in reached}
    assert not unseen


@pytest.mark.parametrize('scheme', ['dark', 'light'])
def test_texts_can_be_read_on_any_screen(page, scheme):
    wanted = dict(features=[dict(name='prefers-color-scheme', value=scheme)])
    page.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', wanted)
    open_link(page, '?sentence=a+man')
    page.message('The best')
    page.until(page.captions, 'the captions')
    read = """const behind = node => {
            const colour = getComputedStyle(node).backgroundColor;
            return /, 0\\)$/.test(colour) ? behind(node.parentElement) : colour; };
        return [...document.querySelectorAll('#found .caption-label, #message .told')].map(
            node => [getComputedStyle(node).color, behind(node)])"""
    colours = page.driver.execute_script(read)
    page.shoot(scheme)
    page.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(features=[]))
    assert len(colours) == 13
    for letters, ground in colours:
        assert (luminance(ground) < 0.2) == (scheme == 'dark')
        low, high = sorted([luminance(letters), luminance(ground)])
        assert (high + 0.05) / (low + 0.05) >= 7  # the stricter bound of WCAG 2


def luminance(colour):
    """Relative luminance of WCAG 2."""
    parts = [int(part) / 255 for part in re.findall(r'\d+', colour)[:3]]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_programs_ask_as_the_documentation_says(address, answers, capsys):
    (snippet,) = re.findall(r'```python\n(.*?gradio_client.*?)```', DOCS, re.DOTALL)
    place = {}
    exec(snippet.replace('http://127.0.0.1:7860/', address), place)
    expected = answers.ask(Query('a woman in a red coat', images=5, where='person_id >= 2', least_score=-0.5))
    assert place['answer']['message'] == expected.message
    found = place['answer']['results']
    assert found
    assert [one['file'] for one in found] == [
        f'{one.metadata["folder"]}/{Path(one.path).name}' for one in expected.results
    ]
    assert [one['metadata'] for one in found] == [dict(one.metadata) for one in expected.results]
    assert [one['score'] for one in found] == pytest.approx([one.score for one in expected.results])
    assert len(capsys.readouterr().out.splitlines()) == len(found)
    client = place['client']
    ((endpoint, described),) = client.view_api(return_format='dict')['named_endpoints'].items()
    assert endpoint == '/search'
    for parameter in described['parameters']:
        assert f'{parameter["parameter_name"]}: ' in described['description']
        assert f'| `{parameter["parameter_name"]}` |' in DOCS
    with pytest.raises(Exception, match="'camera' is not a condition; write one such as"):
        client.predict(sentence='a man', where='camera', api_name='/search')
    assert 'Traceback' not in capsys.readouterr().err


def test_a_page_for_reading_has_no_uploads(answers):
    page_builders = pytest.importorskip('mmtbps.search.web.page')
    config = page_builders.build_page(answers, []).get_config_file()
    visible = {part['props'].get('elem_id'): part['props'].get('visible') for part in config['components']}
    assert (visible['image'], visible['upload'], visible['search']) == (False, False, True)
    assert page_builders.launch_options(None)['max_file_size'] == 1


def test_a_strangers_metadata_ask_the_server_for_no_file(folder):
    handlers = pytest.importorskip('mmtbps.search.web.handlers')
    file = dict(path=str(folder / 'all' / 'index.json'), meta={'_type': 'gradio.FileData'})
    result = SearchResult(1, '/crops/a.png', 0.5, 0.5, dict(folder='cam1', file=file, path='/etc/passwd', time=3))
    assert handlers._describe(result) == dict(
        rank=1, score=0.5, cosine=0.5, file='cam1/a.png',
        metadata={'folder': 'cam1', 'metadata path': '/etc/passwd', 'time': 3},
    )  # fmt: skip
