"""What the README tells a newcomer to type and to write works."""

import re
import runpy
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

import mmtbps
from mmtbps import cli
from mmtbps.apis import resolve_data_sizes
from mmtbps.engine.config_checks import check_config
from mmtbps.registry import DATASETS

ROOT = Path(mmtbps.__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(README)
WEB_PAGE = (ROOT / 'docs' / 'web_demo.md').read_text(encoding='utf-8')
COMMANDS = [
    command.strip()
    for language, block in [*BLOCKS, *BLOCK.findall(WEB_PAGE)]
    if language == 'console'
    for line in block.replace('\\\n', ' ').splitlines()
    for command in line.split('&&')
    if 'tools/' in command or command.strip().startswith('mmtbps ')
]


def test_the_two_commands_stand_first():
    assert [block for language, block in BLOCKS if language == 'console'][:2] == [
        'python -m pip install -e . && python tools/train.py configs/cm_moco/cm-moco_tiny_toypedes.py\n',
        'python -m pip install -e ".[tests]" && python -m pytest\n',
    ]
    assert re.findall(r'<!-- command: (\w+) -->\n```console', README) == ['main', 'tests', 'keep']


@pytest.mark.parametrize('command', COMMANDS)
def test_commands_name_tools_options_and_configs_that_exist(command, monkeypatch):
    words = shlex.split(command, comments=True)
    if words[0] == 'mmtbps':
        cli.Command(cli.mmtbps_app()).parse(words[1:])
        return
    tool = next(word for word in words if word.startswith('tools/'))
    arguments = words[words.index(tool) + 1 :]
    assert (ROOT / tool).is_file()
    for word in arguments:
        assert not word.startswith('configs/') or (ROOT / word).is_file(), word
    if tool.endswith('.py'):
        monkeypatch.chdir(ROOT)
        runpy.run_path(str(ROOT / tool))['main'].parse(arguments)


def test_the_page_on_the_web_page_names_every_option(capsys):
    runpy.run_path(str(ROOT / 'tools/web_demo.py'))['main'](['--help'])
    options = set(re.findall(r'^│ (--[\w-]+)', capsys.readouterr().out, re.MULTILINE))
    assert set(re.findall(r'^\| `(--[\w-]+)`', WEB_PAGE, re.MULTILINE)) == options


@pytest.mark.parametrize('path', sorted(set(re.findall(r'`((?:tools|docs|configs)/[\w./-]+\.\w+)`', README))))
def test_files_that_the_text_names_exist(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize('target', re.findall(r'\]\((?!https?:)([^)#]+)\)', README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


def write_own_data(folder):
    """What the text beside the snippet describes."""
    rows = ['image,caption,person_id,split']
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for person in range(2):
            image = f'{split}/{person}.jpg'
            rows.append(f'{image},"A man, number {person}.",{split}_{person},{split}')
            (folder / 'imgs' / split).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / 'imgs' / image), rng.integers(0, 256, (30, 12, 3), dtype=np.uint8))
    (folder / 'captions.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')


def test_the_config_for_own_data_reads_them(tmp_path, monkeypatch):
    page = (ROOT / 'docs' / 'how_to' / 'own_data.md').read_text(encoding='utf-8')
    (snippet,) = [block for language, block in BLOCK.findall(page) if 'PersonCaptions' in block]
    write_own_data(tmp_path / 'data/mine')
    monkeypatch.chdir(tmp_path)
    Path('own.py').write_text(snippet, encoding='utf-8')
    cfg = Config.fromfile('own.py')
    check_config(cfg)
    resolve_data_sizes(cfg)
    assert cfg.model.heads.identity.num_classes == 2
    sets = [DATASETS.build(cfg[f'{name}_dataloader'].dataset) for name in ('train', 'val', 'test')]
    assert [len(dataset) for dataset in sets] == [2, 2, 2]
    assert [dataset.split for dataset in sets] == ['train', 'val', 'test']
    sets[2].set_vocabulary(sets[0].metainfo['vocabulary'])
    for dataset in (sets[0], sets[2]):
        item = dataset[1]
        assert item['inputs']['image'].shape == (3, 384, 128)
        assert item['data_samples'].captions == ['A man, number 1.']
