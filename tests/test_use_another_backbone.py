"""The how-to page, carried out: every config trains from a file of weights and is tested, shrunk, on a few persons."""

import itertools
import re
import runpy
import shlex
from pathlib import Path

import mmpretrain
import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import get_torchvision_models
from stand_ins import small_run, write_persons
from tiny_clip import IMAGE_ARCH, TEXT_ARCH, save_weights, tiny_clip

import mmtbps
from mmtbps.apis import resolve_data_sizes, train
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.registry import MODELS

ROOT = Path(mmtbps.__file__).parents[1]
PAGE = (ROOT / 'docs' / 'how_to' / 'use_another_backbone.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'<!-- (file|command): (\S+) -->\n```\w+\n(.*?)```', re.DOTALL)
FILES = {name: content for kind, name, content in BLOCK.findall(PAGE) if kind == 'file'}
COMMANDS = {name: shlex.split(content) for kind, name, content in BLOCK.findall(PAGE) if kind == 'command'}
META = dict(vocabulary=['<pad>', '<unk>', 'a', 'man'], person_ids=[0, 1])
WORDS = ['A man walks in blue.']
IMAGE, LENGTH = 'image_stream.backbone', 'image_projection.in_channels'
THIN = {
    'convnext.py': {f'{IMAGE}.arch': dict(_delete_=True, depths=[1, 1, 1, 1], channels=[4, 4, 4, 8]), LENGTH: 8},
    'swin.py': {f'{IMAGE}.arch': dict(_delete_=True, embed_dims=4, depths=[1, 1, 2, 1], num_heads=[1] * 4), LENGTH: 32},
    'open_clip_towers.py': {
        **{f'{IMAGE}.arch': dict(IMAGE_ARCH, _delete_=True), 'heads.identity.in_channels': 16, 'queue.dim': 16},
        'text_stream.backbone.arch': dict(TEXT_ARCH, _delete_=True),
    },
    'open_clip_words.py': {
        **{f'{IMAGE}.layers': [1, 1, 1, 1], f'{IMAGE}.width': 8, f'{IMAGE}.output_dim': 16, LENGTH: 16},
        **{'text_stream.backbone.embed_dims': 16, 'text_stream.neck.in_channels': 16},
    },
    'own.py': {f'{IMAGE}.alpha': 0.1},
}
number = itertools.count()


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """The page's files as they stand there, their package within reach of imports, and data."""
    folder = tmp_path_factory.mktemp('project')
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding='utf-8')
    data = folder / 'data/cuhk_pedes'
    data.mkdir(parents=True)
    write_persons(data, 'CUHKPEDES', WORDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope='module')
def clip_files(project):
    """A tiny CLIP of each kind in open_clip's files, by the type of the image backbone."""
    return {
        'CLIPViT': save_weights(tiny_clip(), project / 'vit.safetensors'),
        'CLIPResNet': save_weights(tiny_clip(resnet=True), project / 'resnet.pt'),
    }


@pytest.fixture
def word_table(project, clip_files, monkeypatch):
    """The page's command, with a file in place of the tag."""
    folder = project / 'towers'
    folder.mkdir()
    sizes = {key: value for key, value in TEXT_ARCH.items() if key != 'embed_dim'}
    Config(dict(model_cfg=dict(embed_dim=16, text_cfg=sizes))).dump(folder / 'open_clip_config.json')
    place = {'ViT-B-16': 'towers/open_clip_config.json', 'laion2b_s34b_b88k': str(clip_files['CLIPViT'])}
    python, tool, *arguments = COMMANDS['words']
    assert (python, set(place) - set(arguments)) == ('python', set())
    main = runpy.run_path(str(ROOT / tool))['main']
    main([place.get(word, word) for word in arguments])


def stand_in_weights(backbone, clip_files, folder):
    """A file in the place of the released one; the weights that must arrive, by name."""
    if backbone.type in clip_files:
        path = clip_files[backbone.type]
        state = open_clip.factory.load_state_dict(str(path))
        return path, {name.removeprefix('visual.'): v for name, v in state.items() if name.startswith('visual.')}
    module = MODELS.build(dict(backbone, init_cfg=None))
    prefix = backbone.init_cfg.get('prefix', '')
    state = module.state_dict()
    path = folder / 'weights.pth'
    torch.save({'state_dict': {f'{prefix}{name}': value for name, value in state.items()}}, path)
    return path, state


def load(project, name):
    cfg = Config.fromfile(project / name)
    init_default_scope('mmtbps')
    return cfg


@pytest.mark.usefixtures('unformatted_configs')
@pytest.mark.parametrize('name', THIN)
def test_a_config_trains_from_weights_and_is_tested(name, project, clip_files, request, tmp_path):
    if name == 'open_clip_words.py':
        request.getfixturevalue('word_table')
    cfg = load(project, name)
    cfg.merge_from_dict({f'model.{key}': value for key, value in THIN[name].items()})
    cfg.merge_from_dict(small_run(project / 'data/cuhk_pedes'))
    path, expected = stand_in_weights(cfg.model.image_stream.backbone, clip_files, tmp_path)
    for stream in (cfg.model.image_stream, cfg.model.text_stream):
        if stream.backbone.get('init_cfg'):
            stream.backbone.init_cfg.checkpoint = str(path)
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), f'{name}_{next(number)}'

    assert train(cfg).keys() >= {'t2i/R@1', 'i2t/mAP'}
    trained = load_checkpoint_file(tmp_path / 'run/epoch_1.pth')['state_dict']
    found = {key.removeprefix(f'{IMAGE}.'): value for key, value in trained.items() if key.startswith(f'{IMAGE}.')}
    weights = [key for key in found if key.endswith('weight') and key in expected]
    assert len(weights) > 5
    for key in weights:
        torch.testing.assert_close(found[key], expected[key])


@pytest.mark.parametrize('name', THIN)
def test_at_full_size_the_feature_has_the_length_that_the_page_says(name, project):
    cfg = load(project, name)
    cfg.model.text_stream.backbone.pop('table', None)
    if name == 'open_clip_words.py':
        cfg.model.text_stream.backbone.type = 'WordEmbedding'
    model = MODELS.build(resolve_data_sizes(cfg, META).model)
    with torch.no_grad():
        assert model.encode_image(torch.rand(1, 3, 384, 128)).shape == (1, model.queue.dim)
    if name == 'open_clip_towers.py':
        assert model.text_stream.backbone.text_projection.shape[1] == model.queue.dim == 512


def test_every_file_is_carried_out():
    assert {name for name in FILES if '/' not in name} == set(THIN)


def test_the_training_command_is_that_of_a_tool():
    *command, config = COMMANDS['train']
    assert (command, config in FILES) == (['mmtbps', 'train'], True)


def test_tags_are_those_of_open_clip():
    for model, tag in (('ViT-B-16', 'laion2b_s34b_b88k'), ('RN50', 'yfcc15m')):
        assert tag in PAGE
        assert tag in open_clip.list_pretrained_tags_by_model(model)


def test_other_weights_are_those_that_mmpretrain_and_torchvision_publish():
    published = ''.join(
        path.read_text() for path in Path(mmpretrain.__file__).parent.glob('.mim/configs/*/metafile.yml')
    )
    addresses = re.findall(r"'(https://[^']+)'", PAGE)
    assert len(addresses) == 2
    for address in addresses:
        assert address in published
    (name,) = re.findall(r"'torchvision://([^']+)'", PAGE)
    assert name in get_torchvision_models()
