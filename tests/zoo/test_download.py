"""Downloads from a server that truncates, corrupts, stalls, redirects and lies."""

import errno
import hashlib
import os
import shutil
from types import SimpleNamespace

import pytest

from mmtbps.zoo import download
from mmtbps.zoo.download import require_space


def digest(content):
    return hashlib.sha256(content).hexdigest()


def fetch(server, folder, **options):
    options = dict(sha256=digest(server.content), size=len(server.content), quiet=True, **options)
    return download(f'{server.address}/file.pth', folder / 'file.pth', **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    'faults',
    [
        [],
        ['truncate'],
        ['truncate', 'truncate', 'truncate'],
        ['stall'],
        [503, 429, 'truncate', 500],
        ['truncate', 'no ranges'],
        ['no length'],
        ['claims more', None],
    ],
    ids=str,
)
def test_the_file_comes_whole(faults, server, tmp_path):
    server.faults = list(faults)
    assert fetch(server, tmp_path) == digest(server.content)
    assert names(tmp_path) == ['file.pth']
    assert (tmp_path / 'file.pth').read_bytes() == server.content


def test_what_has_come_is_not_asked_for_again(server, tmp_path):
    server.faults = ['truncate', 404]
    with pytest.raises(ConnectionError, match=r'file\.pth cannot be fetched: HTTP Error 404'):
        fetch(server, tmp_path)
    half = len(server.content) // 2
    assert (tmp_path / 'file.pth.part').read_bytes() == server.content[:half]
    server.requests.clear()
    fetch(server, tmp_path)  # as another run of the command does
    assert [wanted for _, wanted in server.requests] == [f'bytes={half}-']
    assert (tmp_path / 'file.pth').read_bytes() == server.content


def test_a_whole_part_is_not_asked_for_at_all(server, tmp_path):
    (tmp_path / 'file.pth.part').write_bytes(server.content)
    fetch(server, tmp_path)
    assert not server.requests


@pytest.mark.parametrize('fault', ['corrupt', 'another file'])
def test_nothing_is_kept_of_what_it_should_not_be(fault, server, tmp_path):
    expected = digest(server.content), len(server.content)
    if fault == 'corrupt':
        server.faults = ['corrupt']
    else:
        server.content = os.urandom(len(server.content) + 5000)
    with pytest.raises(ValueError, match=r'is not the file that it should be: .* Nothing of it is kept'):
        download(f'{server.address}/file.pth', tmp_path / 'file.pth', *expected, quiet=True)
    assert names(tmp_path) == []


def test_a_damaged_part_is_not_kept_either(server, tmp_path):
    (tmp_path / 'file.pth.part').write_bytes(b'x' * 1000)
    with pytest.raises(ValueError, match='is not the file that it should be'):
        fetch(server, tmp_path)
    assert names(tmp_path) == []
    fetch(server, tmp_path)


@pytest.mark.parametrize(('before', 'after', 'goes_on'), [('"a"', '"a"', True), ('"a"', '"b"', False),
                                                          (None, None, False), ('W/"a"', 'W/"a"', False)])  # fmt: skip
def test_without_a_digest_only_the_same_version_is_gone_on_with(before, after, goes_on, server, tmp_path):
    old, server.version = server.content, before
    server.faults = ['truncate', 404]
    with pytest.raises(ConnectionError):
        download(f'{server.address}/file.pth', tmp_path / 'file.pth', quiet=True)
    server.version = after
    server.content = old if goes_on else os.urandom(len(old))
    server.requests.clear()
    download(f'{server.address}/file.pth', tmp_path / 'file.pth', quiet=True)
    assert (tmp_path / 'file.pth').read_bytes() == server.content
    assert names(tmp_path) == ['file.pth']
    asked = [wanted for _, wanted in server.requests]
    assert asked == [f'bytes={len(old) // 2}-' if before == '"a"' else None]


@pytest.mark.parametrize('told', ['told', 'no length'])
def test_a_whole_part_of_unknown_length_ends_well(told, server, tmp_path):
    server.version = '"a"'
    (tmp_path / 'file.pth.part').write_bytes(server.content)
    (tmp_path / 'file.pth.part.version').write_text('"a"')
    server.faults = [told]
    download(f'{server.address}/file.pth', tmp_path / 'file.pth', quiet=True)
    assert (tmp_path / 'file.pth').read_bytes() == server.content
    assert len(server.requests) == (1 if told == 'told' else 2)
    assert names(tmp_path) == ['file.pth']


def test_a_part_that_is_too_long_begins_anew(server, tmp_path):
    (tmp_path / 'file.pth.part').write_bytes(server.content + b'x')
    assert fetch(server, tmp_path) == digest(server.content)


def test_a_server_that_claims_more_than_it_has(server, tmp_path):
    server.version, server.faults = '"a"', ['claims more'] * 9
    download(f'{server.address}/file.pth', tmp_path / 'file.pth', quiet=True)
    assert (tmp_path / 'file.pth').read_bytes() == server.content


def test_a_full_disk_is_no_fault_of_the_network(server, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=r'file\.pth\.part cannot be written: .*No space left.*Make room') as error:
        fetch(server, tmp_path)
    assert not isinstance(error.value, ConnectionError)
    assert len(server.requests) == 1


def test_room_is_asked_for_when_the_server_tells_the_length(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: SimpleNamespace(free=10))
    with pytest.raises(OSError, match=r'file\.pth\.part needs .* GB .* are free'):
        download(f'{server.address}/file.pth', tmp_path / 'file.pth', quiet=True)
    assert len(server.requests) == 1


def test_a_server_that_never_sends_is_given_up(server, tmp_path):
    server.faults = [503] * 50
    with pytest.raises(ConnectionError, match='HTTP Error 503'):
        fetch(server, tmp_path)
    assert len(server.requests) == 5


def test_without_network(tmp_path):
    with pytest.raises(ConnectionError, match=r'cannot be fetched: .*refused'):
        download('http://127.0.0.1:9/file.pth', tmp_path / 'file.pth', quiet=True)


def test_redirections_stay_safe(server, tmp_path):
    server.faults = [f'{server.address}/elsewhere', None]
    fetch(server, tmp_path)
    assert [path for path, _ in server.requests] == ['/file.pth', '/elsewhere']
    for place in ('http://example.com/file.pth', 'file:///etc/passwd', 'ftp://example.com/file.pth'):
        server.faults = [place]
        with pytest.raises((ValueError, ConnectionError), match=r'no https address|not allowed'):
            fetch(server, tmp_path / 'other')
        assert not list((tmp_path / 'other').glob('*.pth'))


@pytest.mark.parametrize('address', ['http://example.com/a.pth', 'file:///etc/passwd', 'ftp://127.0.0.1/a', 'a.pth'])
def test_addresses_are_https(address, tmp_path):
    with pytest.raises(ValueError, match='is no https address'):
        download(address, tmp_path / 'a.pth')


def test_the_bar_tells_rate_and_time_left(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
    download(f'{server.address}/file.pth', tmp_path / 'file.pth')
    shown = capsys.readouterr().err
    assert 'file.pth: 100%' in shown
    assert 'B/s]' in shown


def test_room_on_the_disk_is_asked_for_first(tmp_path):
    require_space(tmp_path, 1, 'nam')
    with pytest.raises(OSError, match=r'nam needs 1000000\.00 GB in .* are free\. .*MMTBPS_HOME'):
        require_space(tmp_path, 10**15, 'nam')
