"""The how-to page, carried out on a few persons with a thin backbone."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from published_shapes import nam_checkpoint
from stand_ins import small_run, write_persons

import mmtbps
from mmtbps import cli
from mmtbps.apis import build_runner, resolve_data_sizes, train
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.core.files import file_sha256
from mmtbps.registry import MODELS
from mmtbps.zoo import fetch_model, read_config, weights_named

ROOT = Path(mmtbps.__file__).parents[1]
PAGE = (ROOT / 'docs' / 'how_to' / 'fine_tune.md').read_text(encoding='utf-8')
COMMAND = re.search(r'<!-- command: fine-tune -->\n```console\n(.*?)```', PAGE, re.DOTALL)[1]
OLD_WORDS = ['<pad>', '<unk>', 'red', 'walks', 'man', 'a']
THIN = [
    'model.image_stream.backbone.init_cfg=None',
    'model.image_stream.backbone.base_channels=4',
    'model.image_stream.backbone.stem_channels=4',
    'model.image_projection.in_channels=128',
]
pytestmark = pytest.mark.usefixtures('unformatted_configs')


def parse(options):
    """What MMEngine makes of options of the command line."""
    return {name: DictAction._parse_int_float_bool(value) for name, value in (pair.split('=') for pair in options)}


@pytest.fixture
def checkpoint(tmp_path):
    """As a run on CUHK-PEDES with four words and three persons would have left it."""
    cfg = Config.fromfile(ROOT / 'configs/cm_moco/cm-moco_r50-bigru_1xb128-80e_cuhk-pedes.py')
    cfg.merge_from_dict(parse(THIN))
    init_default_scope('mmtbps')
    meta = dict(dataset='CUHK-PEDES', vocabulary=OLD_WORDS, person_ids=[0, 1, 2])
    torch.manual_seed(1)
    model = MODELS.build(resolve_data_sizes(cfg, meta).model)
    model.init_weights()
    model.queue.person_ids.fill_(1)
    path = tmp_path / 'checkpoint.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta)), path)
    return path


@pytest.fixture
def arguments(tmp_path, checkpoint):
    """The page's command on stand-ins."""
    data = write_persons(tmp_path, 'RSTPReid', ['A man walks in blue.'])
    words = shlex.split(COMMAND)
    assert words[:2] == ['mmtbps', 'train']
    place = {'work_dirs/fine-tuned': str(tmp_path / 'run')}
    settings = [f'{name}={value}' for name, value in small_run(data).items()]
    return [*(place.get(word, word) for word in words), *THIN, *settings, f'load_from={checkpoint}']


def test_page_is_true(arguments, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [*arguments, '--out', str(tmp_path / 'figures.json')])
    cli.main()
    assert json.loads((tmp_path / 'figures.json').read_text()).keys() >= {'t2i/R@1', 'i2t/mAP'}
    (log,) = (tmp_path / 'run').glob('*/*.log')
    text = log.read_text()
    excerpt = re.search(r'```\n(Fine-tuning on .*?)```', PAGE, re.DOTALL)[1].splitlines()
    assert len(excerpt) == 3
    for line in excerpt:
        assert text.count(line) == 1, line  # the test of the best epoch loads weights of the same data
    assert 'size mismatch' not in text
    assert 'do not match exactly' not in text

    old, new = load_checkpoint_file(checkpoint), load_checkpoint_file(tmp_path / 'run/epoch_1.pth')
    words = new['meta']['dataset_meta']['vocabulary']
    for name in ('text_stream.backbone.table.weight', 'key_encoders.text_stream.backbone.table.weight'):
        for word in ('man', 'a', 'walks'):
            row = new['state_dict'][name][words.index(word)]
            torch.testing.assert_close(row, old['state_dict'][name][OLD_WORDS.index(word)])
    weight = 'image_stream.backbone.layer1.0.conv1.weight'
    assert torch.equal(new['state_dict'][weight], old['state_dict'][weight])
    assert 0 < int(new['state_dict']['queue.fill']) <= 16
    assert (new['state_dict']['queue.person_ids'] == -1).any()


def test_to_resume_with_other_words_is_an_error(checkpoint, arguments, tmp_path):
    place = arguments.index('--cfg-options')
    cfg = read_config(arguments[2])
    cfg.merge_from_dict(parse(arguments[place + 1 :]))
    cfg.merge_from_dict(dict(resume=True, work_dir=str(tmp_path / 'run'), experiment_name='resume_with_other_words'))
    runner = build_runner(cfg)
    with pytest.raises(ValueError, match=r'vocabulary \(6 entries, now 7 entries\) and person_ids .*load_from'):
        runner.train()


def test_from_published_weights(tmp_path, monkeypatch):
    """The page's config, with narrow towers and a file of their shape under the published name."""
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'home'))
    (tmp_path / 'home').mkdir()
    torch.save(nam_checkpoint(vision=64, text=64, layers=1, dim=32), tmp_path / 'best2.pth')
    entry = dict(nam=dict(sha256=file_sha256(tmp_path / 'best2.pth')))
    (tmp_path / 'home' / 'models.json').write_text(json.dumps(entry))
    fetch_model('nam', tmp_path / 'best2.pth', quiet=True)

    file = tmp_path / 'from_nam.py'
    file.write_text(re.search(r'<!-- file: from_nam.py -->\n```python\n(.*?)```', PAGE, re.DOTALL)[1])
    cfg = Config.fromfile(file)
    assert cfg.model.image_stream.backbone.arch == 'ViT-B-16'
    arch = dict(embed_dim=32, layers=1, width=64, mlp_ratio=4.0)
    cfg.model.image_stream.backbone.arch = dict(arch, head_width=64, patch_size=16)
    cfg.model.text_stream.backbone.arch = dict(arch, heads=1)
    cfg.merge_from_dict(small_run(write_persons(tmp_path, 'CUHKPEDES', ['A man walks in blue.'])))
    cfg.merge_from_dict(dict(work_dir=str(tmp_path / 'run'), experiment_name='from_nam'))
    assert train(cfg).keys() >= {'t2i/R@1', 'i2t/mAP'}
    files = weights_named('nam'), tmp_path / 'run' / 'epoch_1.pth'
    begun, ended = (load_checkpoint_file(file)['state_dict'] for file in files)
    name = 'image_stream.backbone.conv1.weight'
    assert torch.equal(begun[name], ended[name])  # the rate is 0
