"""The how-to page, carried out: the package it shows is made, installed and used."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_checkpoint import write_checkpoint

import mmtbps
from mmtbps.apis.reports.files import load_report
from mmtbps.evaluation import functional, load_features

ROOT = Path(mmtbps.__file__).parents[1]
PAGE = (ROOT / 'docs' / 'how_to' / 'register_your_own.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'<!-- (file|command): (\S+) -->\n```\w+\n(.*?)```', re.DOTALL)
DRAWING = dict(num_train_ids=2, num_val_ids=1, num_test_ids=6)


def blocks(kind):
    return {name: content for found, name, content in BLOCK.findall(PAGE) if found == kind}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The page's files as they stand there, and a checkpoint."""
    folder = tmp_path / 'project'
    for name, content in blocks('file').items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding='utf-8')
    monkeypatch.chdir(ROOT)
    write_checkpoint(folder / 'checkpoint.pth', ['a', 'man', 'woman'])
    return folder


def run(project, command, *extra):
    """A command of the page; the package is installed into a folder of its own, beside mmtbps."""
    site = project.parent / 'site'
    environment = {
        **os.environ, 'PYTHONPATH': f'{site}:{ROOT}', 'PYTHONWARNINGS': 'ignore',
        'OMP_NUM_THREADS': '1',
    }  # fmt: skip
    words = shlex.split(command)
    program = ['-m', 'mmtbps'] if words[0] == 'mmtbps' else []
    assert program or words[0] == 'python'
    done = subprocess.run(
        [sys.executable, *program, *words[1:], *map(str, extra)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_page_is_true(project):
    commands = blocks('command')
    assert set(commands) == {'install', 'test'}
    where = ['-q', '--no-deps', '--no-build-isolation', '--target', project.parent / 'site']
    run(project, commands['install'], *where)
    (project / 'cloakroom').rename(project / 'not_the_installed_one')

    loader = 'test_dataloader'
    data = [f'{loader}.dataset.data_root={project / "toy"}', f'{loader}.num_workers=0']
    data += [f'{loader}.persistent_workers=False', *(f'{loader}.dataset.drawing.{k}={v}' for k, v in DRAWING.items())]
    out = project / 'figures.json'
    arguments = ['--out', out, '--dump', project / 'features.npz', '--cfg-options', *data]
    output = run(project, commands['test'], *arguments)

    rows = {line.split('|')[1].strip() for line in output.splitlines() if line.startswith('| ')}
    assert rows >= {'t2i', 't2i+jaccard', 't2i+csls', 'i2t+csls'}
    figures = json.loads(out.read_text())
    features = load_features(project / 'features.npz')
    t2i = features.directions()['t2i']
    assert figures['t2i/median_rank'] == functional.score_features(*t2i).first_rank.double().median().item()
    unit = torch.nn.functional.normalize
    cosine = unit(t2i.query_feats) @ unit(t2i.gallery_feats).T
    scaled = 2 * cosine - cosine.sort(dim=0).values[-5:].mean(dim=0)
    expected = functional.rank_metrics(scaled, t2i.query_pids, t2i.gallery_pids)
    assert figures['t2i+csls/mAP'] == pytest.approx(expected['mAP'], abs=1e-4)
    assert load_report(project / 'report').figures['t2i+csls']['mAP'] == figures['t2i+csls/mAP']
