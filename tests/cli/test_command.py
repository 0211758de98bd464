"""The command mmtbps, as it is typed."""

import hashlib
import io
import json
import subprocess
import sys

import pytest
import torch
from loopback import Loopback
from published_shapes import nam_checkpoint

from mmtbps import cli
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.zoo import model_files

TINY = dict(vision=64, text=64, layers=1, dim=32)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command; gives the exit code, and what it printed on both streams."""

    def run(*words):
        monkeypatch.setattr(sys, 'argv', ['mmtbps', *map(str, words)])
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def nam(tmp_path, monkeypatch):
    """A server offers a small file of NAM's shape; gives the file's content."""
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'home'))
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    buffer = io.BytesIO()
    torch.save(nam_checkpoint(**TINY), buffer)
    server = Loopback(buffer.getvalue())
    digest = hashlib.sha256(server.content).hexdigest()
    (tmp_path / 'home').mkdir()
    entry = dict(address=f'{server.address}/best2.pth', sha256=digest, size=len(server.content))
    (tmp_path / 'home' / 'models.json').write_text(json.dumps(dict(nam=entry)))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return draw_toy_pedes(
        tmp_path_factory.mktemp('toy'), num_train_ids=1, num_val_ids=1, num_test_ids=4, images_per_id=2
    ) / 'imgs'  # fmt: skip


def test_two_commands_search_ones_own_crops(run, nam, crops, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nam.faults = ['truncate']
    code, out, err = run('search', 'index', crops, '--model', 'nam', '--out', 'gallery')
    assert code == 0, err
    assert '12 images' in out
    assert 'licence of the code none stated' in err
    sentence = 'a woman in a red coat with a white bag'
    code, out, err = run('search', 'query', 'gallery', sentence, '--show', 'answer.png', '--topk', 3)
    assert code == 0, err
    assert out.count('.jpg') == 3
    assert (tmp_path / 'answer.png').stat().st_size > 1000

    code, out, _ = run('search', 'query', 'gallery', 'red coat', '--json', '--template', 'a photo of a {}')
    assert json.loads(out)[0]['query'] == 'a photo of a red coat'
    code, _, err = run('search', 'query', 'gallery', 'red coat', '--template', 'a photo')
    assert code == 2
    assert "--template must contain {} once, where the sentence goes, got 'a photo'." in err


def test_moved_weights_are_named_again(run, nam, crops, tmp_path, monkeypatch):
    run('search', 'index', crops, '--model', 'nam', '--out', tmp_path / 'gallery')
    (tmp_path / 'home').rename(tmp_path / 'elsewhere')
    code, _, err = run('search', 'query', tmp_path / 'gallery', 'red')
    assert code == 2
    assert 'model.pth' in err
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'elsewhere'))
    code, _, err = run('search', 'query', tmp_path / 'gallery', 'red', '--model', 'nam')
    assert code == 0, err


def test_fetch_by_file_and_list(run, nam, tmp_path):
    (tmp_path / 'best2.pth').write_bytes(nam.content)
    code, out, err = run('models', 'nam')
    assert 'mmtbps fetch nam (verified' in out
    code, out, err = run('fetch', 'nam', '--file', tmp_path / 'best2.pth')
    assert code == 0, err
    assert not nam.requests
    assert '--model nam' in out
    code, out, _ = run('models')
    assert f'here, in {model_files("nam")[1].parent}' in out
    assert 'R@1 without training on CUHK-PEDES 57.61' in out
    assert '  cm-moco_tiny_toypedes\n' in out
    code, _, err = run('models', 'xyz*')
    assert code == 2


def test_convert_and_back(run, tmp_path):
    content = nam_checkpoint(moments=False, **TINY)
    torch.save(content, tmp_path / 'theirs.pth')
    code, out, err = run('convert', tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
    assert code == 0, err
    assert 'weights of the layout irra' in out
    assert (tmp_path / 'ours.py').is_file()
    code, out, err = run('convert', tmp_path / 'ours.pth', tmp_path / 'back.pth', '--reverse', '--layout', 'irra')
    assert code == 0, err
    back = load_checkpoint_file(tmp_path / 'back.pth')['model']
    theirs = {name.removeprefix('module.'): value.float() for name, value in content['model'].items()}
    assert set(back) == set(theirs)
    assert all(torch.equal(back[name], value) for name, value in theirs.items())


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['serch'], 'mmtbps: Unknown command "serch". Did you mean "search"?'),
        (['search', 'index', 'crops', '--out', 'g'], 'mmtbps search: Name the model by --model NAME, or'),
        (['search', 'index', 'crops', '--out', 'g', '--model', 'nom'], "There is no model 'nom'. Did you mean nam?"),
        (['fetch', 'ham', '--fille', 'x'], 'mmtbps fetch: Unknown option: --fille. Did you mean --file?'),
        (['search', 'index', 'crops'], 'mmtbps search: Command "search index" parameter --out requires an argument'),
        (['fetch', 'nom'], "mmtbps fetch: There is no published model 'nom'"),
        (['fetch', 'ham'], 'mmtbps fetch: ham cannot be downloaded by a program. Open https://'),
        (['convert', 'none.pth', 'a.pth'], 'none.pth'),
        (['convert', 'none.pth', 'a.pth', '--option', 'size=3'], "mmtbps convert: --option 'size=3': write NAME=VALUE"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_paragraph(words, message, run, tmp_path, monkeypatch):
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*words)
    assert code == 2
    assert message in err
    assert 'Traceback' not in err


def test_help_loads_neither_torch_nor_mmengine():
    code = 'import sys; sys.argv = ["mmtbps", "--help"]; from mmtbps.cli import main; main(); ' \
        'assert not {"torch", "mmengine", "numpy"} & set(sys.modules)'  # fmt: skip
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = [name for name in cli.mmtbps_app() if not name.startswith('-')]
    assert len(names) >= 12
    for name in names:
        assert f'│ {name} ' in done.stdout
    done = subprocess.run([sys.executable, '-m', 'mmtbps', '--version'], capture_output=True, text=True)
    assert done.stdout.startswith('mmtbps 0.')
