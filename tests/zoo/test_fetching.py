"""Published weights from a server or a file: verified, converted, found by name."""

import hashlib
import io
import json
import pickle
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from published_shapes import nam_checkpoint
from reference_vectors import FOLDER

from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.search import ModelEncoder
from mmtbps.zoo import CLIP_NOTICE, fetch_model, known_entries, model_files, require_named

TINY = dict(vision=64, text=64, layers=1, dim=32)


@pytest.fixture(scope='module')
def content():
    buffer = io.BytesIO()
    torch.save(nam_checkpoint(**TINY), buffer)
    return buffer.getvalue()


def write_own(home, **entries):
    home.mkdir(exist_ok=True)
    (home / 'models.json').write_text(json.dumps(entries))


@pytest.fixture
def offered(home, server, content):
    """The server has a small file of NAM's shape, and the user's own list says so."""
    server.content = content
    entry = dict(address=f'{server.address}/nam.pth', size=len(content), sha256=hashlib.sha256(content).hexdigest())
    write_own(home, nam=entry)
    return home


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError('a socket was asked for')

    monkeypatch.setattr(socket, 'socket', refuse)
    monkeypatch.setattr(socket, 'create_connection', refuse)


def check_model(config, weights):
    encoder = ModelEncoder(config, weights, 'cpu')
    assert encoder.encode_texts(['a woman in a red coat']).shape == (1, 32)
    meta = load_checkpoint_file(weights)['meta']['origin']
    assert {'sha256', 'layout', 'converter', 'licence', 'citation', 'address', 'verified'} <= set(meta)
    return meta


def test_download_verify_convert(offered, server, capsys):
    config, weights = fetch_model('nam', quiet=False)
    assert check_model(config, weights)['verified']
    assert not list((offered / 'downloads').iterdir())
    told = capsys.readouterr().err
    assert 'licence of the code none stated, of the weights none stated' in told
    assert told.count(CLIP_NOTICE) == 1
    server.requests.clear()
    assert fetch_model('nam') == require_named('nam') == (config, weights)
    assert not server.requests
    shutil.rmtree(weights.parent)
    fetch_model('nam')
    assert CLIP_NOTICE not in capsys.readouterr().err  # said once


def test_a_file_needs_no_network(offered, content, tmp_path, no_network, monkeypatch):
    (tmp_path / 'best2.pth').write_bytes(content)
    config, weights = fetch_model('nam', tmp_path / 'best2.pth')
    assert (tmp_path / 'best2.pth').is_file()
    meta = check_model(config, weights)
    assert meta['verified']
    assert meta['sha256'] == hashlib.sha256(content).hexdigest()
    moved = tmp_path / 'moved'
    shutil.move(offered, moved)  # as one would copy it to a machine without network
    monkeypatch.setenv('MMTBPS_HOME', str(moved))
    check_model(*require_named('nam'))


def test_another_file_is_refused(offered, content, tmp_path):
    (tmp_path / 'other.pth').write_bytes(content + b' ')
    with pytest.raises(ValueError, match=r'other\.pth is not the file of nam: its SHA-256 is .* expected'):
        fetch_model('nam', tmp_path / 'other.pth')
    assert not any(file.exists() for file in model_files('nam'))


def test_without_a_known_digest_it_is_said_and_noted(home, content, tmp_path, capsys):
    (tmp_path / 'best0.pth').write_bytes(content)
    meta = check_model(*fetch_model('ham', tmp_path / 'best0.pth'))
    digest = hashlib.sha256(content).hexdigest()
    assert f'NOT VERIFIED, nobody has told its SHA-256 ({digest})' in capsys.readouterr().err
    assert (meta['verified'], meta['sha256']) == (False, digest)


class _Payload:
    def __reduce__(self):
        return print, ('this must not run',)


def test_a_pickle_that_holds_more_than_weights_is_refused_with_the_right_digest(home, server, tmp_path, capsys):
    path = tmp_path / 'evil.pth'
    torch.save(dict(model=nam_checkpoint(moments=False, **TINY)['model'], extra=_Payload()), path)
    for content in (path.read_bytes(), pickle.dumps(_Payload())):
        server.content = content
        entry = dict(address=f'{server.address}/nam.pth', size=len(content), sha256=hashlib.sha256(content).hexdigest())
        write_own(home, nam=entry)
        with pytest.raises(ValueError, match=r'nam\.pth'):
            fetch_model('nam')
        assert not model_files('nam')[1].exists()
        assert not list((home / 'downloads').iterdir())
    assert 'this must not run' not in capsys.readouterr().out


def test_what_needs_a_click_names_the_page(home, no_network):
    with pytest.raises(
        FileNotFoundError, match=r'Open https://github\.com/anosorae/IRRA .* mmtbps fetch irra-cuhk --file'
    ):
        fetch_model('irra-cuhk')


def test_without_network_the_command_for_elsewhere_is_named(offered, server):
    server.faults = [404] * 9
    with pytest.raises(
        FileNotFoundError, match=r'run: mmtbps fetch nam; then copy .*home here .* fetch nam --file PATH'
    ) as error:
        require_named('nam')
    assert str(error.value).count('--file') == 1
    assert 'What has come is kept' not in str(error.value)
    with pytest.raises(ConnectionError, match=r'404.*\. On a machine without network, .*fetch nam --file PATH$'):
        fetch_model('nam')


def test_an_interrupted_conversion_downloads_nothing_again(offered, server, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr('mmtbps.zoo.fetching.convert_file', lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch_model('nam')
    server.requests.clear()
    check_model(*fetch_model('nam'))
    assert not server.requests
    assert not list((offered / 'downloads').iterdir())


def test_a_digest_in_capitals_is_the_same(offered, content):
    entry = json.loads((offered / 'models.json').read_text())['nam']
    write_own(offered, nam=dict(entry, sha256=entry['sha256'].upper()))
    check_model(*fetch_model('nam'))


def test_a_name_that_is_nearly_one(home):
    with pytest.raises(ValueError, match=r"no published model 'Nam'; did you mean nam\?"):
        fetch_model('Nam')


def test_what_must_be_opened_by_hand_writes_nothing(home):
    home.mkdir()
    with pytest.raises(FileNotFoundError, match=r'Open https://github\.com/anosorae/IRRA'):
        require_named('irra-icfg')
    assert not list(home.iterdir())


def test_room_for_file_and_conversion(offered, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(OSError, match='nam with its conversion needs'):
        fetch_model('nam')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', r'models\.json: not valid JSON'),
        ('[]', 'must hold an object'),
        ('{"nam": {"size": "big"}}', "the entry 'nam' is not valid: size must be a number of bytes"),
        ('{"nam": {"colour": 1}}', "the entry 'nam' is not valid: .*colour"),
        ('{"mine": {"layout": 3}}', "the entry 'mine' is not valid: layout must be text"),
        ('{"nam": {"transfer": [1]}}', "the entry 'nam' is not valid: transfer must be an object of figures"),
        ('{"nam": {"options": "a=1"}}', "the entry 'nam' is not valid: options must be a list of texts"),
        ('{"toy": {"work_dir": 5}}', "the entry 'toy' is not valid: work_dir must be text"),
        ('{"a@b": {"layout": "irra"}}', "the entry 'a@b' is not valid: .*letters"),
        ('{"mine": {}}', "the entry 'mine' is not valid: .*layout"),
        ('{"../mine": {"layout": "irra"}}', "the entry '../mine' is not valid: .*letters"),
    ],
)
def test_a_broken_list_is_named(text, message, home):
    home.mkdir()
    (home / 'models.json').write_text(text)
    with pytest.raises(ValueError, match=message):
        known_entries()


def test_every_entry_is_complete(home):
    for name, entry in known_entries().items():
        assert entry.address or entry.page, name
        assert entry.layout in ('clip', 'irra', 'rde', 'tbps-clip', 'textreid', 'mmtbps'), name
        assert not (entry.published or entry.transfer) or entry.source, name
        assert entry.citation or name == 'toy', name
        if entry.address:
            assert entry.address.startswith('https://'), name
            assert len(entry.sha256) == 64, name


def test_words_of_textreid_come_along(home, tmp_path):
    trajectory = torch.load(FOLDER / 'traj_equal.pth', weights_only=True)
    torch.save(dict(model=trajectory['final']), tmp_path / 'best.pth')
    torch.save(trajectory['table'], tmp_path / 'table.pth')
    (tmp_path / 'words.txt').write_text('\n'.join(['<pad>', '<unk>', *(f'word{number}' for number in range(58))]))
    files = dict(words=tmp_path / 'words.txt', word_table=tmp_path / 'table.pth')
    fetch_model('textreid-rn50', tmp_path / 'best.pth', quiet=True, **files)
    encoder = ModelEncoder(*require_named('textreid-rn50'), 'cpu')
    assert encoder.encode_texts(['word3 word7']).shape == (1, 32)


def test_several_processes_fetch_once(offered, server):
    """As the processes of a distributed run do."""
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: fetch_model('nam', quiet=True), range(4)))
    assert found == {model_files('nam')}
    assert len(server.requests) == 1
