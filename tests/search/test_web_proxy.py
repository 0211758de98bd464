"""The page below a path of a reverse proxy."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

from mmtbps.search.web import server


@pytest.mark.parametrize(
    ('argument', 'variable', 'expected'),
    [('/find', None, '/find'), (None, '/seen', '/seen'), ('/find', '/seen', '/find'), (None, None, None)],
)
def test_the_path_reaches_the_page(argument, variable, expected, monkeypatch, capsys):
    launched = {}

    class Page:
        def launch(self, **options):
            launched.update(options)
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            return None, 'http://127.0.0.1:7860/', None

        def close(self, verbose):
            launched['closed'] = True

    monkeypatch.delenv('GRADIO_ROOT_PATH', raising=False)
    if variable:
        monkeypatch.setenv('GRADIO_ROOT_PATH', variable)
    monkeypatch.setattr(server, '_page_builders', lambda: (lambda *_: Page(), lambda _: {}))
    server.serve(SimpleNamespace(limits=None), root_path=argument)

    assert launched['root_path'] == expected
    assert launched['closed']
    assert os.environ.get('GRADIO_ROOT_PATH') == variable
    assert 'Open http://127.0.0.1:7860/' in capsys.readouterr().out
