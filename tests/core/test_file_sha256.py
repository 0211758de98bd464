"""Digests of files that are larger than one read."""

import hashlib

import pytest

from mmtbps.core.files import file_sha256


@pytest.mark.parametrize('size', [0, 2**20, 3 * 2**20 + 1])
def test_a_digest_covers_the_whole_file(tmp_path, size):
    content = bytes(range(256)) * (size // 256) + b'x' * (size % 256)
    (tmp_path / 'file').write_bytes(content)
    assert file_sha256(tmp_path / 'file') == hashlib.sha256(content).hexdigest()
