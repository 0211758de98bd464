"""docs/search.md and docs/deploy.md, carried out from top to bottom: every command and snippet, in order."""

import json
import re
import runpy
import shlex
from pathlib import Path

import cv2
import pytest
import torch
from deploy.small_models import write_files
from tiny_search import draw_crops

import mmtbps
from mmtbps import cli
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.search import Searcher

ROOT = Path(mmtbps.__file__).parents[1]
BLOCK = re.compile(r'(<!-- not run -->\n)?```(console|python)\n(.*?)```', re.DOTALL)


def blocks(page):
    """Language, text and whether it is to be run, of every block of a page."""
    text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
    return [(language, content, not skip) for skip, language, content in BLOCK.findall(text)]


def tool_and_arguments(line):
    words = shlex.split(line)
    if words[0] == 'mmtbps':
        return dict(main=cli.Command(cli.mmtbps_app())), words[1:]
    number = next(number for number, word in enumerate(words) if word.startswith('tools/'))
    return runpy.run_path(str(ROOT / words[number])), words[number + 1 :]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The files that both pages speak of."""
    torch.set_num_threads(1)
    toys = draw_toy_pedes(tmp_path / 'toypedes', num_train_ids=1, num_val_ids=1, num_test_ids=6)
    files = write_files(tmp_path, 'clip resnet, gru', dataset=dict(type='CUHKPEDES', data_root=str(toys)))
    for file, name in zip(files, ('config.py', 'best.pth'), strict=True):
        file.rename(tmp_path / name)
    crops = draw_crops(tmp_path / 'crops')
    (tmp_path / 'sentences.csv').write_text('sentence\na man in black\n"a woman, a red bag"\n')
    rows = [f'{path},c{path.parent.name[-1]}' for path in sorted(crops.rglob('*.png'))]
    (tmp_path / 'metadata.csv').write_text('\n'.join(['path,camera', *rows]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    return tmp_path


def carry_out(page, capsys):
    """Run a page; returns what was printed, command by command, and the names that the snippets left."""
    printed, names = [], {}
    for language, content, run in blocks(page):
        if language == 'python':
            exec(compile(content, page, 'exec'), names)
            continue
        for line in content.strip().splitlines():
            tool, arguments = tool_and_arguments(line)
            if not run:
                tool.get('parse_args', getattr(tool['main'], 'parse', None))(arguments)
                continue
            capsys.readouterr()
            assert tool['main'](arguments) in (0, None), capsys.readouterr().err
            printed.append((line, capsys.readouterr().out))
    return printed, names


def test_the_page_on_searching(project, capsys):
    printed, names = carry_out('search.md', capsys)
    outputs = dict(printed)
    assert all(output for output in outputs.values())
    assert '12 images in the gallery: 12 new' in printed[0][1]
    assert printed[1][1].count('.png') == 5
    assert [len(answer['results']) for answer in json.loads(printed[2][1])] == [3, 3]
    assert '5 images removed, 7 left\n' in outputs.values()
    assert all(cv2.imread(name) is not None for name in ('answer.png', 'saliency.png'))
    assert {Path(name).is_file() for name in ('answers_1.png', 'answers_2.png', 'shown/0.png')} == {True}
    assert len(Path('answers.csv').read_text().splitlines()) == 1 + 2 * 3
    assert len(names['answer']) == len(names['samples'][0].img_path) == 3
    assert Searcher.load('large').gallery.store.extra['index']['type'] == 'FaissHNSW'
    assert names['searcher'].gallery.vectors.ef_search == 128


def test_the_page_on_deploying(project, capsys):
    printed, names = carry_out('deploy.md', capsys)
    assert 'same top-10 for 100%' in printed[0][1]
    assert 'int8' in printed[1][1]
    assert printed[3][1].count('.png') == 3
    (found,) = [
        result
        for result in Searcher.load('gallery').search('a woman in a red coat', topk=12)
        if result.path.endswith('cam1/p2_t10.png')
    ]
    assert names['similarity'] == pytest.approx(found.cosine, abs=1e-4)


@pytest.mark.parametrize('page', ['search.md', 'deploy.md'])
def test_names_that_a_page_drops_exist(page):
    text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
    for file in re.findall(r'`((?:tools|docs|configs)/[\w./-]+\.\w+)', text):
        assert (ROOT / file).is_file(), file
    for target in re.findall(r'\]\((?!https?:)([^)#]+)\)', text):
        assert (ROOT / 'docs' / target).exists(), target
