"""The web page behind a proxy that serves it under a path of its own."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tiny_search import PixelEncoder, draw_crops

import mmtbps
from mmtbps.search import Searcher
from mmtbps.search.web.server import _checked_root, serve

pytest.importorskip('gradio', reason='the web page is not tested: install .[tests]')

ROOT = Path(mmtbps.__file__).parents[1]
SERVER = """
import sys
from tiny_search import PixelEncoder
from mmtbps.search import Searcher
from mmtbps.search.web import Galleries, serve
root = sys.argv[3] if len(sys.argv) > 3 else None
serve(Galleries(dict(g=Searcher.load(sys.argv[1], encoder=PixelEncoder()))), port=int(sys.argv[2]), root_path=root)
"""


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes on what is below ``/find`` to the page, without it."""

    target = ''

    def do_GET(self):
        if not self.path.startswith('/find/'):
            self.send_error(404)
            return
        try:
            with urlopen(Request(self.target + self.path.removeprefix('/find'), headers=self.forwarded())) as answer:
                code, content = answer.status, answer.read()
        except HTTPError as error:
            code, content = error.code, error.read()
        self.send_response(code)
        self.end_headers()
        self.wfile.write(content)

    def forwarded(self):
        host = self.headers['Host']
        return {'Host': host, 'X-Forwarded-Host': host, 'X-Forwarded-Proto': 'http'}

    def log_message(self, *args):
        pass


@pytest.fixture
def gallery(tmp_path):
    Searcher(PixelEncoder()).index(draw_crops(tmp_path / 'crops'), tmp_path / 'g', num_workers=0, progress=False)
    return tmp_path / 'g'


@pytest.mark.parametrize(('argument', 'variable'), [(['/find/'], '/elsewhere'), ([], '/find')])
def test_the_browser_asks_below_the_path_of_the_proxy(gallery, argument, variable):
    port = free_port()
    environment = dict(os.environ, PYTHONPATH=f'{ROOT}:{ROOT}/tests', OMP_NUM_THREADS='1')
    environment['GRADIO_ROOT_PATH'] = variable
    command = [sys.executable, '-c', SERVER, str(gallery), str(port), *argument]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    handler = type('Handler', (Proxy,), dict(target=f'http://127.0.0.1:{port}'))
    try:
        lines = []
        while not lines or 'Open' not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], ''.join(lines)
        assert 'below /find, where a proxy' in process.stdout.readline()
        with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            address = f'http://127.0.0.1:{proxy.server_address[1]}'
            with urlopen(f'{address}/find/') as answer:
                assert f'"root":"{address}/find"' in answer.read().decode().replace(': ', ':')
            with urlopen(f'{address}/find/config') as answer:
                config = json.loads(answer.read())
            proxy.shutdown()
        assert config['root'] == f'{address}/find'
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    'root', ['find', 'find/', 'ftp://example.org', '/a b', '/find?x=1', '//x"><script>', 'https://']
)
def test_what_is_no_path_is_refused(root):
    with pytest.raises(ValueError, match='root_path must be a path that begins with a slash, such as /find'):
        serve(None, root_path=root)


@pytest.mark.parametrize(
    ('root', 'used'),
    [
        ('', ''),
        ('/', ''),
        ('/find', '/find'),
        ('/a/b/', '/a/b'),
        ('https://example.org/find', 'https://example.org/find'),
    ],
)
def test_paths_and_addresses_are_taken(root, used):
    assert _checked_root(root) == used
