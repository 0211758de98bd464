"""Exports are checked in this process, for speed; the tests of the check itself ask for ``fresh_process``."""

import pytest

from mmtbps.deploy import ONNXEncoder
from mmtbps.deploy.fresh_process import encode_in_fresh_process

CHECK = 'mmtbps.deploy.export.encode_in_fresh_process'


def _encode_here(folder, images, sentences, batch_size, trusted_modules=()):
    encoder = ONNXEncoder(folder, trusted_modules=trusted_modules)
    return encoder.encode_images(images, batch_size), encoder.encode_texts(sentences, batch_size)


@pytest.fixture(autouse=True, scope='module')
def _quick_exports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CHECK, _encode_here)
        yield


@pytest.fixture
def fresh_process(monkeypatch):
    monkeypatch.setattr(CHECK, encode_in_fresh_process)
