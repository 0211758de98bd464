"""The how-to page, carried out on a few persons, a tiny CLIP in OpenAI's archives and a thin image tower."""

import contextlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmengine.config import Config
from stand_ins import small_run, write_persons
from tiny_clip import TEXT_ARCH, save_openai_archive, tiny_clip

import mmtbps
from mmtbps import cli
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.zoo import read_config

ROOT = Path(mmtbps.__file__).parents[1]
FILE = ROOT / 'docs' / 'how_to' / 'reproduce_the_paper.md'
PAGE = FILE.read_text(encoding='utf-8')
BLOCK = re.compile(r'<!-- command: ([\w ]+) -->\n```console\n(.*?)```', re.DOTALL)
COMMANDS = {name: [shlex.split(line) for line in block.splitlines()] for name, block in BLOCK.findall(PAGE)}
INLINE = [code.replace('\n', ' ') for code in re.findall(r'`([^`]+)`', re.sub(r'```.*?```', '', PAGE, flags=re.DOTALL))]
WORDS = ['a', 'blue', 'in', 'man', 'walks']
SETS = {'cuhk_pedes': 'CUHKPEDES', 'icfg_pedes': 'ICFGPEDES', 'rstp_reid': 'RSTPReid'}
THIN = {
    'image_stream.backbone.layers': '[1,1,1,1]',
    'image_stream.backbone.width': 8,
    'image_stream.backbone.output_dim': 16,
    'image_projection.in_channels': 16,
}


def inline(start):
    """The one piece of code in the text that starts like this, as words."""
    (found,) = {code for code in INLINE if code.startswith(start)}
    return shlex.split(found)


def run(words, *extra):
    """A command of the page, in this process."""
    tool = words[0] == 'python'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [*words[tool:], *map(str, extra)])
        with contextlib.suppress(SystemExit):
            runpy.run_path(words[1], run_name='__main__') if tool else cli.main()


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder in which the commands work as they stand: the repository's tools and configs, data and archives."""
    folder = tmp_path_factory.mktemp('home')
    for name in ('tools', 'configs'):
        (folder / name).symlink_to(ROOT / name)
    for name, kind in SETS.items():
        (folder / 'data' / name).mkdir(parents=True)
        # Of ICFG-PEDES 200 persons go from train to val.
        persons = 201 if kind == 'ICFGPEDES' else 6
        write_persons(folder / 'data' / name, kind, ['A man walks in blue.'], persons)
    (folder / 'path/to').mkdir(parents=True)
    save_openai_archive(tiny_clip(quick_gelu=True), folder / 'path/to/ViT-B-32.pt')
    save_openai_archive(tiny_clip(quick_gelu=True, resnet=True), folder / 'path/to/RN101.pt')
    sizes = {key: value for key, value in TEXT_ARCH.items() if key != 'embed_dim'}
    Config(dict(model_cfg=dict(embed_dim=16, text_cfg=sizes))).dump(folder / 'tiny.json')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def build_table(words):
    """A command that makes a table, with the page's file in place of the tag."""
    assert words[-2:] == ['--clip', 'openai']
    run([*words[:-2], *inline('--clip path')], '--arch', 'tiny.json')
    table = WordVectors.load(words[2])
    assert (table.words, table.vectors.shape) == (WORDS, (5, 16))


@pytest.mark.usefixtures('unformatted_configs')
def test_words_and_training(home, capsys):
    run(inline('mmtbps verify'))
    assert 'No faults.' in capsys.readouterr().out
    (words,) = COMMANDS['words']
    build_table(words)

    (command,) = COMMANDS['train']
    options = inline('--cfg-options') + inline('model.image_stream.backbone.with_cp')
    settings = {f'model.{name}': value for name, value in THIN.items()} | small_run('data/cuhk_pedes')
    settings |= {'model.text_stream.backbone.embed_dims': 16, 'model.text_stream.neck.in_channels': 16}
    extra = [f'{name}={value}' for name, value in settings.items()]
    run(command, *inline('--amp'), '--work-dir', 'run', *options, *extra)

    (log,) = home.glob('run/*/*.log')
    text = log.read_text()
    assert re.search(r'WordTable: 5 words from data/cuhk_pedes/clip_words\.npz .*, 0 set to <unk>', text)
    assert 'CLIPPretrained: load from path/to/RN101.pt' in text
    assert 'best epoch on val (1)' in text


def test_words_of_the_other_data_sets(home):
    assert len(COMMANDS['other words']) == 2
    for words in COMMANDS['other words']:
        build_table(words)
    np.save('clip_vocab_vit.npy', np.ones((5, 16), np.float32))
    Path('WORDS').write_text('\n'.join(WORDS))
    run(['python', 'tools/dataset_tools/build_word_table.py', 'of_array.npz', *inline('--array')])
    assert WordVectors.load('of_array.npz').words == WORDS


def test_configs_read_the_tables_where_the_commands_write_them():
    for words in COMMANDS['words'] + COMMANDS['other words']:
        name, (kind, folder) = Path(words[2]).parent.name, words[3].split('=')
        cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}_clip-words.py')
        dataset = cfg.train_dataloader.dataset
        assert (cfg.word_table, dataset.type, dataset.data_root) == (words[2], kind, folder)


def options_of(words, capsys):
    run([*words, '--help'])
    return set(re.findall(r'--[\w-]+', capsys.readouterr().out))


def test_options_in_the_text_exist(capsys):
    named = {code.split()[0] for code in INLINE if code.startswith('--')}
    of_training = {'--amp', '--cfg-options'}
    assert of_training <= named & options_of(['mmtbps', 'train'], capsys)
    assert named - of_training <= options_of(['python', str(ROOT / 'tools/dataset_tools/build_word_table.py')], capsys)


def test_several_processes_keep_the_batch_of_the_config():
    tool, _, processes = inline('tools/dist_train.sh')
    assert (ROOT / tool).is_file()
    (command,) = COMMANDS['train']
    loader = read_config(command[2]).train_dataloader
    assert {'train_dataloader.batch_size', 'train_dataloader.sampler.batch_size'} <= set(INLINE)
    each = int(re.search(r'set to (\d+), so that', PAGE.replace('\n', ' '))[1])
    assert int(processes) * each == loader.batch_size == loader.sampler.batch_size == 128


@pytest.mark.parametrize('target', re.findall(r'\]\((?!https?:)([^)#]+)\)', PAGE))
def test_links_lead_somewhere(target):
    assert (FILE.parent / target).exists()


def test_the_published_figures_are_those_of_the_metafile():
    (command,) = COMMANDS['train']
    models = yaml.safe_load((ROOT / 'configs/cm_moco/metafile.yml').read_text())['Models']
    (results,) = [model['Results'] for model in models if model['Name'] == command[2]]
    text = PAGE.replace('\n', ' ')
    figures = re.search(r'Rank-1 ([\d.]+), Rank-5 ([\d.]+), Rank-10 ([\d.]+) and mAP ([\d.]+)', text).groups()
    assert [float(figure) for figure in figures] == list(results[0]['Metrics'].values())
