"""The command mmtbps, as it is typed."""

import hashlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

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


def test_a_model_by_its_name_wherever_a_config_is_asked_for(run, nam, crops, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run('search', 'index', crops, '--config', 'nam', '--out', 'gallery')
    assert code == 0, err
    code, _, err = run('search', 'query', 'gallery', 'red', '--model', 'nam', '--checkpoint', 'nofile.pth')
    assert (code, 'given twice: --model and --checkpoint' in err) == (2, True)
    for words in (['test', 'nam'], ['export', 'nam', 'out']):
        monkeypatch.setattr('mmtbps.zoo.require_named', lambda name: 1 / 0 if name == 'nam' else None)
        with pytest.raises(ZeroDivisionError):
            run(*words)


def test_fetch_by_file_and_list(run, nam, tmp_path):
    (tmp_path / 'best2.pth').write_bytes(nam.content)
    code, out, err = run('models', 'nam')
    assert 'not here; mmtbps fetch nam gets it (verified)' in out
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
        (['convert', 'none.pth', 'a.pth', '--option', 'std=0,1,1'], 'mmtbps convert: --option std: every value'),
        (['convert', 'none.pth', 'a.pth', '--learnt-words'], 'mmtbps convert: --learnt-words belongs to --reverse'),
        (['convert', 'a.pth', 'b.pth', '--reverse', '--layout', 'irra', '--words', 'w'], '--words and --word-table go'),
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


def test_the_folder_of_a_training_is_a_model_with_one_best_checkpoint(run, tmp_path):
    folder = tmp_path / 'work_dirs' / 'mine'
    folder.mkdir(parents=True)
    (folder / 'mine.py').write_text('model = dict()')
    code, _, err = run('test', folder)
    assert code == 2
    assert 'it has no best checkpoint (best_*.pth)' in err
    both = [folder / f'best_t2i_R@1_epoch_{number}.pth' for number in (1, 2)]
    for file in both:
        file.touch()
    # As a shell fills in `work_dirs/mine/best_*.pth`.
    for words in (['test', folder / 'mine.py', *both], ['export', folder / 'mine.py', *both, tmp_path / 'out'],
                  ['search', 'index', '--config', 'c', '--checkpoint', *both, 'crops', '--out', 'g']):  # fmt: skip
        code, _, err = run(*words)
        assert code == 2
        assert f'best_*.pth matches two checkpoints, {both[0]} and {both[1]}' in err
    code, _, err = run('search', 'index', tmp_path, '--model', folder, '--out', tmp_path / 'g')
    assert code == 2
    assert 'has several files best_*.pth: best_t2i_R@1_epoch_1.pth, best_t2i_R@1_epoch_2.pth' in err
    code, _, err = run('search', 'index', tmp_path, both[0], '--model', 'nam', '--out', tmp_path / 'g')
    assert code == 2
    assert f'{both[0]} is a checkpoint, not an image' in err


def test_a_training_without_validation_is_a_model_by_its_last_checkpoint(tmp_path):
    from mmtbps.zoo import require_named

    (tmp_path / 'mine.py').write_text('val_cfg = None')
    for number in (2, 10):
        (tmp_path / f'epoch_{number}.pth').touch()
    assert require_named(str(tmp_path)) == (tmp_path / 'mine.py', tmp_path / 'epoch_10.pth')
    (tmp_path / 'mine.py').write_text('val_cfg = dict()')
    with pytest.raises(FileNotFoundError, match='no best checkpoint'):
        require_named(str(tmp_path))


def test_every_command_has_help_with_an_example(run):
    app = cli.mmtbps_app()
    for name in [name for name in app if not name.startswith('-')]:
        inner = [name for name in app[name] if not name.startswith('-')]
        for words in [[name, part] for part in inner] or [[name]]:
            code, out, err = run(*words, '--help')
            assert code == 0, err
            assert out.startswith(f'Usage: mmtbps {" ".join(words)}')
            assert '--traceback shows where' in out
            assert 'For example:' in out or words in (['search', 'remove'], ['search', 'verify'])


def test_studies_are_found_by_name(run, tmp_path, monkeypatch):
    from mmtbps.zoo import study_file

    monkeypatch.chdir(tmp_path)
    by_name = study_file('queue_size')
    assert by_name.is_file()
    assert study_file('mmtbps::_studies_/queue_size.py').samefile(by_name)
    code, _, err = run('studies', 'queue_sise')
    assert code == 2
    assert 'There is no study queue_sise. Did you mean queue_size?' in err


def test_the_answer_goes_into_an_archive(run, nam, crops, tmp_path):
    import zipfile

    gallery, archive = tmp_path / 'gallery', tmp_path / 'answer.zip'
    run('search', 'index', crops, '--model', 'nam', '--out', gallery)
    code, _, err = run('search', 'query', gallery, 'a man', '--topk', 2, '--zip', archive)
    assert code == 0, err
    assert len([name for name in zipfile.ZipFile(archive).namelist() if name.endswith('.png')]) == 2
    code, _, err = run('search', 'query', gallery, 'a man', 'a woman', '--zip', archive)
    assert code == 2
    assert '--zip takes the answer to one sentence, got 2 sentences' in err


def test_crops_of_a_drawn_video_are_searched_by_time(run, nam, tmp_path, monkeypatch):
    from drawn_videos import draw_walker, street, write_video

    page = (Path(cli.__file__).parents[2] / 'docs' / 'from_video.md').read_text()
    (block,) = re.findall(r'```console\n(.*?)```', page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    frames = [draw_walker(street(), 100 + 20 * second, 60, 120) for second in range(13) for _ in range(10)]
    write_video(tmp_path / 'street.mp4', frames)
    code, out, err = run('crops', 'none.mp4', '--out', 'crops')
    assert code == 2
    assert 'none.mp4' in err
    outputs = []
    for line in block.strip().splitlines():
        code, out, err = run(*shlex.split(line)[1:])
        assert code == 0, err
        outputs.append(out)
    assert re.match(r'\d+ crops from 13 frames of 1 source', outputs[0])
    found = re.findall(r'street_(\d+)\.\d+_\d+_\d+\.jpg', outputs[2])
    assert found
    assert all(int(second) >= 10 for second in found)


def test_a_config_imports_from_the_folder_where_it_is_named(tmp_path, monkeypatch):
    from mmtbps.zoo import read_config

    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    (tmp_path / 'studio_of_mine').mkdir()
    (tmp_path / 'studio_of_mine' / '__init__.py').write_text('MADE = True\n')
    (tmp_path / 'mine.py').write_text("custom_imports = dict(imports=['studio_of_mine'], allow_failed_imports=False)\n")
    try:
        read_config('mine.py')
        assert sys.modules['studio_of_mine'].MADE
    finally:
        sys.modules.pop('studio_of_mine', None)
    assert sys.path == before


def test_mistakes_of_a_config_are_told_in_a_paragraph(run, tmp_path):
    (tmp_path / 'c.py').write_text('x = lr\n')
    for command in (['train', str(tmp_path / 'c.py')], ['test', str(tmp_path / 'c.py'), 'w.pth']):
        code, _, err = run(*command)
        assert code == 2
        assert "c.py raises NameError in line 1: name 'lr' is not defined." in err
    for command in (['train', 'own-data_tiny'], ['test', 'dual-stream_tiny_toypedes', 'w.pth', '--report', 'r.md']):
        code, _, err = run(*command, '--cfg-options', 'default_hooks.checkpoint=3', 'test_evaluator=3')
        assert code == 2
        assert 'test_evaluator must be a dictionary or a list of them, got 3' in err
        assert 'default_hooks.checkpoint must be a dictionary or None, got 3' in err
    code, _, err = run('train', 'own-data_tiny', '--verbose', '--cfg-options', 'default_hooks=3')
    assert (code, 'default_hooks must be a dictionary or None, got 3' in err) == (2, True)


def test_a_setting_without_a_place_is_named(run):
    code, _, err = run('train', 'own-data_tiny', '--cfg-options', 'model.heads.itc.type.x=1')
    assert code == 2
    assert '--cfg-options model.heads.itc.type.x=1 does not fit the config' in err
    code, _, err = run('train', 'own-data_tiny', '--cfg-options', 'model.heads')
    assert code == 2
    assert "'model.heads' is no setting: write key=value." in err


def test_one_of_two_best_checkpoints_is_named(tmp_path):
    from mmtbps.cli.arguments import Model

    (tmp_path / 'mine.py').write_text('val_cfg = dict()')
    for number in (1, 2):
        (tmp_path / f'best_{number}.pth').touch()
    with pytest.raises(ValueError, match=r'Name the one to take by --checkpoint\.'):
        Model(model=str(tmp_path)).files()
    chosen = str(tmp_path / 'best_2.pth')
    assert Model(model=str(tmp_path), checkpoint=chosen).files() == (tmp_path / 'mine.py', chosen)
    with pytest.raises(FileNotFoundError, match=r'There is no folder .*/none of a training'):
        Model(model=str(tmp_path / 'none')).files()
