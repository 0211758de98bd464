import os
import sys

import pytest
from loopback import Loopback

from mmtbps.zoo import download


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of models."""
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'home'))
    for name in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / 'home'


@pytest.fixture
def server(monkeypatch):
    """A loopback server, and a client that soon loses patience."""
    own = sys.modules[download.__module__]  # whose name in the package is that of the function
    monkeypatch.setattr(own, '_TIMEOUT', 0.5)
    monkeypatch.setattr(own, '_PAUSE', 0.01)
    served = Loopback(os.urandom(300_000))
    yield served
    served.shutdown()
    served.server_close()
