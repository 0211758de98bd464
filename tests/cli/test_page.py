"""docs/search_without_training.md, carried out from top to bottom with small models under the names that it uses."""

import hashlib
import io
import json
import re
import shlex
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from loopback import Loopback
from published_shapes import nam_checkpoint
from safetensors.torch import save_file

import mmtbps
from mmtbps import cli
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.zoo import known_entries

ROOT = Path(mmtbps.__file__).parents[1]
PAGE = (ROOT / 'docs' / 'search_without_training.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'```(console|python|json)\n(.*?)```', re.DOTALL)


def as_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Crops, and a server that has small files for what the page fetches."""
    torch.manual_seed(0)
    irra = as_file(nam_checkpoint(moments=False, vision=64, text=64, layers=1, dim=32))
    sizes = dict(
        embed_dim=32, vision_cfg=dict(image_size=64, layers=1, width=64, patch_size=16),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )  # fmt: skip
    network = open_clip.model.CLIP(**sizes)
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: sizes)
    clip = as_file(network.state_dict())
    save_file({name: value.contiguous() for name, value in network.state_dict().items()},
              tmp_path / 'open_clip_model.safetensors')  # fmt: skip
    for name in ('best.pth', 'best2.pth'):
        (tmp_path / name).write_bytes(irra)
    server = Loopback()
    server.files = {'/nam.pth': irra, '/clip.pt': clip}
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in server.files.items()}
    own = {
        'nam': dict(address=f'{server.address}/nam.pth', sha256=digests['/nam.pth'], size=len(irra)),
        'clip-vit-b16': dict(address=f'{server.address}/clip.pt', sha256=digests['/clip.pt']),
    }
    (tmp_path / 'home').mkdir()
    (tmp_path / 'home' / 'models.json').write_text(json.dumps(own))
    known = dict(open_clip.get_pretrained_cfg('ViT-B-16', 'laion2b_s34b_b88k'), url=f'{server.address}/clip.pt')
    monkeypatch.setattr(open_clip, 'get_pretrained_cfg', lambda *_: known)
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'home'))
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    toys = draw_toy_pedes(tmp_path / 'toys', num_train_ids=1, num_val_ids=1, num_test_ids=4, images_per_id=2)
    (toys / 'imgs').rename(tmp_path / 'crops')
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_the_page(project, monkeypatch, capsys):
    names, ran = {}, 0
    for language, content in BLOCK.findall(PAGE):
        if language == 'python' and 'load_from' not in content:
            exec(compile(content, 'page', 'exec'), names)
        for line in content.strip().splitlines() if language == 'console' else ():
            monkeypatch.setattr(sys, 'argv', shlex.split(line))
            cli.main()
            ran += 1
    assert ran == 10
    assert len(names['results']) == 5
    assert {'answer.png', 'gallery', 'gallery_laion', 'gallery_large'} <= {path.name for path in project.iterdir()}
    assert (project / 'work_dirs' / 'theirs.py').is_file()
    assert 'NOT VERIFIED' in capsys.readouterr().err  # of irra-cuhk, whose digest nobody has told


def test_the_list_of_the_page_is_read(project):
    (written,) = [content for language, content in BLOCK.findall(PAGE) if language == 'json']
    (project / 'home' / 'models.json').write_text(written)
    entries = known_entries()
    assert entries['nam'].address == 'https://mirror.example.org/best2.pth'
    assert entries['nam'].sha256.startswith('2be4974d')
    assert entries['ours'].layout == 'irra'


def test_the_figures_of_the_page_are_those_of_the_list():
    rows = re.findall(r'^\| `([\w-]+)` \| ([\d.()]+) \| ([\d.()]+) \| ([\d.()]+) \|', PAGE, re.MULTILINE)
    assert len(rows) == 6
    for name, *figures in rows:
        entry = known_entries()[name]
        for data_set, figure in zip(('CUHK-PEDES', 'ICFG-PEDES', 'RSTPReid'), figures, strict=True):
            expected = entry.published if figure.startswith('(') else entry.transfer
            assert float(figure.strip('()')) == expected[data_set], (name, data_set)


def test_the_layouts_of_the_page_are_those_that_are_known():
    from mmtbps.converters import layout_names

    table = PAGE[PAGE.index('| layout | of |') :]
    assert set(re.findall(r'^\| `([\w-]+)` \|', table, re.MULTILINE)) == set(layout_names())
