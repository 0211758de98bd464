"""Models and configs by name: published ones, open_clip's, folders of trainings, our configs."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import open_clip
import pytest
import torch
from mmengine.config import Config
from mmpretrain.apis.model import ModelHub
from published_shapes import nam_checkpoint
from safetensors.torch import save_file
from tiny_search import draw_crops, write_model

import mmtbps
from mmtbps.apis import TextToPersonInferencer
from mmtbps.cli import tool
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.search import Searcher
from mmtbps.zoo import fetch_model, named_configs, read_config, require_named, weights_named

TINY = dict(vision=64, text=64, layers=1, dim=32)


@pytest.fixture
def nam(home, tmp_path, monkeypatch):
    """A small model that calls itself nam."""
    torch.save(nam_checkpoint(**TINY), tmp_path / 'best2.pth')
    digest = hashlib.sha256((tmp_path / 'best2.pth').read_bytes()).hexdigest()
    home.mkdir()
    (home / 'models.json').write_text(json.dumps(dict(nam=dict(sha256=digest))))
    return fetch_model('nam', tmp_path / 'best2.pth', quiet=True)


CLIP = dict(
    embed_dim=32, vision_cfg=dict(image_size=64, layers=1, width=64, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=2, layers=1),
)  # fmt: skip


@pytest.fixture
def clip_file(tmp_path, monkeypatch):
    """Weights of a small model that open_clip is made to know."""
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: CLIP)
    torch.save(open_clip.model.CLIP(**CLIP).state_dict(), tmp_path / 'small.pt')
    return tmp_path / 'small.pt'


def test_every_listed_name_is_a_config_or_says_how_to_get_it(home):
    names = mmtbps.list_models()
    assert {'nam', 'clip-vit-b16', 'irra-cuhk', 'toy', 'cm-moco_tiny_toypedes'} <= set(names)
    assert mmtbps.list_models('clip-*') == ['clip-vit-b16', 'clip-rn50', 'clip-rn101']
    for name in set(names) & set(named_configs()):
        assert read_config(name).model.type
    with pytest.raises(FileNotFoundError, match='mmtbps fetch irra-cuhk --file'):
        read_config('irra-cuhk')


def test_configs_by_path_package_and_name(tmp_path):
    name = 'cm-moco_tiny_toypedes'
    expected = read_config(named_configs()[name])
    assert read_config(name).to_dict() == expected.to_dict()
    assert read_config(f'mmtbps::cm_moco/{name}.py').model.type == expected.model.type
    with pytest.raises(
        FileNotFoundError, match=r'There is no config cm-moco_tiny_toypede\. Did you mean cm-moco_tiny_toy'
    ):
        read_config('cm-moco_tiny_toypede')
    with pytest.raises(FileNotFoundError, match=r'There is no config nowhere/x\.py'):
        read_config('nowhere/x.py')


def test_a_published_model_in_every_hand(nam, tmp_path):
    network = mmtbps.get_model('nam', device='cpu')
    tokens = torch.tensor([[49406, 320, 49407]])
    expected = torch.nn.functional.normalize(network.encode_text(tokens, torch.tensor([3])))
    searcher = Searcher.from_model('nam', 'cpu')
    torch.testing.assert_close(searcher.encoder.encode_texts(['a']), expected)
    assert str(nam[1]) == weights_named('nam')
    assert weights_named('work_dirs/x.pth') == 'work_dirs/x.pth'
    assert mmtbps.get_model('nam', pretrained=False, device='cpu').encode_image(torch.rand(1, 3, 384, 128)).shape == (
        1,
        32,
    )

    mmtbps.list_models()
    assert ModelHub.get('nam').weights == str(nam[1])
    import mmpretrain

    theirs = mmpretrain.get_model('nam', pretrained=True)
    torch.testing.assert_close(
        theirs.encode_text(tokens, torch.tensor([3])), network.encode_text(tokens, torch.tensor([3]))
    )
    assert ModelHub.get('cm-moco_tiny_toypedes').config.model.type == 'CMMoCoRetriever'


def test_the_inferencer_takes_a_name(nam, tmp_path):
    draw_toy_pedes(tmp_path / 'toy', num_train_ids=1, num_val_ids=1, num_test_ids=2, images_per_id=2)
    inferencer = TextToPersonInferencer('nam', tmp_path / 'toy' / 'imgs', device='cpu')
    assert len(inferencer('a woman in a red coat', topk=3)[0]) == 3


def test_the_folder_of_a_training(tmp_path, monkeypatch, home):
    folder = tmp_path / 'work_dirs' / 'cm-moco_tiny_toypedes'
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'no folder of a finished training: it has no config'):
        require_named('toy')
    config, checkpoint = write_model(tmp_path / 'model')
    config.rename(folder / 'cm-moco_tiny_toypedes.py')
    checkpoint.rename(folder / 'best_t2i_R@1_epoch_3.pth')
    for name in ('toy', str(folder), 'cm-moco_tiny_toypedes'):
        found = require_named(name)
        assert [file.name for file in found] == ['cm-moco_tiny_toypedes.py', 'best_t2i_R@1_epoch_3.pth']
    assert len(Searcher.from_model('toy', 'cpu').encoder.encode_texts(['red'])) == 1
    fetch_model('toy')
    assert [file.parent for file in require_named('toy')] == [home / 'models' / 'toy'] * 2
    best = folder / 'best_t2i_R@1_epoch_3.pth'
    os.utime(best, (later := time.time() + 60, later))  # a training that ended since
    assert require_named('toy')[1] == Path('work_dirs/cm-moco_tiny_toypedes', best.name)
    os.utime(best, (0, 0))
    assert require_named('toy')[1].parent == home / 'models' / 'toy'
    shutil.rmtree(home / 'models')
    (folder / 'best_t2i_mAP_epoch_2.pth').touch()
    with pytest.raises(
        ValueError, match=r'several files best_\*\.pth: best_t2i_R@1_epoch_3\.pth, best_t2i_mAP_epoch_2'
    ):
        require_named('toy')


def test_what_has_no_weights_says_so(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'no training of it in work_dirs.* first command of the README'):
        require_named('toy')
    with pytest.raises(FileNotFoundError, match=r'No weights of dual-stream_tiny_toypedes are published'):
        require_named('dual-stream_tiny_toypedes')
    with pytest.raises(ValueError, match=r"There is no model 'nom'\. Did you mean nam\?"):
        require_named('nom')


def check_heads(config):
    streams = Config.fromfile(config).model
    assert streams.image_stream.backbone.arch.head_width == 16
    assert streams.text_stream.backbone.arch.heads == 2
    return streams


@pytest.mark.parametrize('quick', [False, True])
def test_a_file_for_a_model_of_open_clip(quick, clip_file, home, monkeypatch):
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: dict(CLIP, quick_gelu=quick))
    config, weights = require_named(f'ViT-B-16@{clip_file}')
    assert weights.parent.name == f'ViT-B-16@{hashlib.sha256(clip_file.read_bytes()).hexdigest()[:12]}'
    assert check_heads(config).image_stream.backbone.quick_gelu is quick
    assert require_named(f'ViT-B-16@{clip_file}') == (config, weights)


@pytest.mark.parametrize('name', ['local-dir:{}', 'ViT-B-16@local-dir:{}', 'ViT-B-16@{}'])
def test_a_folder_of_open_clip(name, clip_file, home, tmp_path):
    (tmp_path / 'folder').mkdir()
    save_file(torch.load(clip_file, weights_only=True), tmp_path / 'folder' / 'open_clip_model.safetensors')
    name = name.format(tmp_path / 'folder')
    if name.startswith('local-dir:'):
        with pytest.raises(ValueError, match=r'activation.* A name takes no options: convert the file first'):
            require_named(name)
    content = dict(model_cfg=dict(CLIP, quick_gelu=True), preprocess_cfg=dict(mean=[0.5, 0.5, 0.5], std=[1, 1, 1]))
    (tmp_path / 'folder' / 'open_clip_config.json').write_text(json.dumps(content))
    config, weights = require_named(name)
    assert check_heads(config).data_preprocessor.mean == [127.5] * 3
    assert check_heads(config).image_stream.backbone.quick_gelu is True
    assert str(weights) == weights_named(name)
    with pytest.raises(FileNotFoundError, match=r'nowhere'):
        require_named('local-dir:nowhere')


@pytest.mark.parametrize('model', ['RN50', 'ViT-B-32', 'clip-vit-b16'])
def test_a_file_of_another_model_is_refused(model, clip_file, home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv('MMTBPS_HOME', str(home))
    with pytest.raises(ValueError, match=rf'{model}@.*small\.pt: These are not weights of the model') as error:
        require_named(f'{model}@{clip_file}')
    assert '--option' not in str(error.value)
    assert not list(home.rglob('*.pth'))


def test_a_tag_of_open_clip(clip_file, home, server, monkeypatch):
    server.content = clip_file.read_bytes()
    known = dict(
        url=f'{server.address}/small.pt', mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), interpolation='bilinear'
    )
    monkeypatch.setattr(open_clip, 'get_pretrained_cfg', lambda model, tag: known if tag == 'mine' else {})
    fetched = fetch_model('clip-vit-b16@mine', quiet=True)  # the way to a machine without network
    assert require_named('clip-vit-b16@mine') == fetched
    config = Config.fromfile(fetched[0])
    assert config.model.image_stream.backbone.quick_gelu is False
    assert check_heads(require_named('clip-vit-b16@mine')[0]).data_preprocessor.mean == [127.5] * 3
    assert config.test_dataloader.dataset.pipeline[1].interpolation == 'bilinear'
    with pytest.raises(ValueError, match=r"open_clip has no weights 'other' of ViT-B-16, and there is no such file"):
        require_named('clip-vit-b16@other')
    with pytest.raises(ValueError, match=r"open_clip has no model 'clip-vit-b17'"):
        require_named('clip-vit-b17@openai')


@pytest.mark.parametrize(
    ('model', 'tag', 'start'),
    [
        ('ViT-B-16', 'openai', 'https://openaipublic.azureedge.net/clip/models/5806e77c'),
        ('ViT-B-16', 'laion2b_s34b_b88k', 'https://huggingface.co/laion/CLIP-ViT-B-16-laion2B-s34B-b88K/resolve/main/'),
        ('RN50', 'yfcc15m', 'https://github.com/mlfoundations/open_clip/releases/download/'),
    ],
)
def test_addresses_of_open_clip(model, tag, start):
    from mmtbps.zoo.open_clip_names import entry_of_tag

    entry = entry_of_tag('x', model, tag)
    assert entry.address.startswith(start)
    assert (entry.sha256 is not None) == (tag == 'openai')
    assert f'quick_gelu={str(tag != "laion2b_s34b_b88k").lower()}' in entry.options
    assert f'model={model}' in entry.options


def test_a_tag_of_a_model_without_plain_towers_is_refused_before_the_download(home):
    with pytest.raises(ValueError, match=r"ViT-H-14-CLIPA of open_clip has not CLIP's plain towers"):
        require_named('ViT-H-14-CLIPA@datacomp1b')


def test_the_folder_of_a_conversion_is_a_model(nam, tmp_path):
    config = nam[0]
    folder = tmp_path / 'converted'
    folder.mkdir()
    for file in nam:
        shutil.copy(file, folder / f'theirs{file.suffix}')
    assert require_named(str(folder)) == (folder / 'theirs.py', folder / 'theirs.pth')
    assert len(Searcher.from_model(str(config.parent)).encoder.encode_texts(['a man'])) == 1


def test_a_gallery_finds_its_model_where_all_of_them_have_moved(nam, home, tmp_path, monkeypatch):
    crops = draw_crops(tmp_path / 'crops')
    Searcher.from_model('nam', 'cpu').index(crops, tmp_path / 'gallery', num_workers=0, progress=False)
    expected = Searcher.load(tmp_path / 'gallery', device='cpu').search('a man')
    home.rename(tmp_path / 'moved')
    with pytest.raises(FileNotFoundError, match=r'gallery was made with are no longer at .*model\.pth.*\(--model\)'):
        Searcher.load(tmp_path / 'gallery', device='cpu')
    monkeypatch.setenv('MMTBPS_HOME', str(tmp_path / 'moved'))
    assert Searcher.load(tmp_path / 'gallery', device='cpu').search('a man') == expected


def test_a_test_of_a_published_model_shows_its_table_alone(nam, tmp_path, capfd, monkeypatch):
    draw_toy_pedes(tmp_path / 'toy', num_train_ids=1, num_val_ids=1, num_test_ids=2, images_per_id=2)
    monkeypatch.chdir(tmp_path)
    cfg = read_config('cm-moco_tiny_toypedes')
    cfg.test_dataloader.dataset.update(data_root=str(tmp_path / 'toy'), drawing=None, check_images=False)
    cfg.dump(tmp_path / 'data.py')
    tool('test')(['--model', 'nam', '--test-on', 'data.py'])
    out = capfd.readouterr().out
    assert '| t2i' in out
    assert len(out.splitlines()) < 15, out


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('t.csv', 'image,caption,person_id\n', r't\.csv is no config\. Your own table .* --data TABLE'),
        ('t.json', '[{"image": "a.jpg"}]', r't\.json is no config\. A table is CSV or JSONL'),
        ('t.json', ' [', r't\.json is no config\. A table is CSV or JSONL'),
    ],
)
def test_a_table_is_no_config(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path / name)
