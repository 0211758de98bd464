"""Every recipe trains end to end, and everything that comes after a training works with its model."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ladder_runs import CONFIGS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from stand_ins import small_run, write_persons

from mmtbps import apis
from mmtbps.apis.reports.writer import write_report
from mmtbps.converters import convert_file, revert_file
from mmtbps.converters.towers import Options
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.deploy import ONNXEncoder, export_onnx
from mmtbps.evaluation import load_features
from mmtbps.registry import MODELS
from mmtbps.search import ModelEncoder, Searcher, compute_saliency, extract_shards, list_gallery, read_shard_set

CAPTIONS = ['A woman in a red coat with a white bag.', 'She walks.']
# Leaf and the layout of others in which its checkpoints leave.
RECIPES = {
    'clip/clip_vit-b16_1xb64-60e_cuhk-pedes.py': 'irra',
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes.py': 'irra',
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes-published.py': 'irra',
    'irra/irra_vit-b16-cm-moco_1xb64-60e_cuhk-pedes.py': 'irra',
    'rde/rde_vit-b16_1xb64-60e_cuhk-pedes.py': 'rde',
    'rde/rde_vit-b16_1xb64-60e_cuhk-pedes-published.py': 'rde',
    'rde/rde_vit-b16-cm-moco_1xb64-60e_cuhk-pedes.py': 'rde',
    'tbps_clip/tbps-clip-simplified_vit-b16_4xb80-5e_cuhk-pedes.py': 'tbps-clip',
    'tbps_clip/tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes.py': 'tbps-clip',
    'tbps_clip/tbps-clip-full_vit-b16-cm-moco_4xb80-5e_cuhk-pedes.py': 'tbps-clip',
}
# Those whose encoders differ.
ENCODERS = [
    'clip/clip_vit-b16_1xb64-60e_cuhk-pedes.py',
    'rde/rde_vit-b16_1xb64-60e_cuhk-pedes.py',
    'tbps_clip/tbps-clip-simplified_vit-b16_4xb80-5e_cuhk-pedes.py',
]
number = itertools.count()


# Features of 64 channels for 512, and of 128 for RDE's 1,024: checkpoints are a tenth of the size.
NARROW = dict(
    LinearClassifierHead=dict(in_channels=64),
    MaskedWordHead=dict(width=64, depth=1),
    SelfSupervisionHead=dict(in_channels=64),
    TokenSelection=dict(in_channels=64, out_channels=128),
)
PARTS = dict(bge=(0, 64), tse=(64, 192))


def narrow(model):
    """Make what a recipe puts on its towers fit to narrow features."""
    for part in (model.image_stream.get('neck'), model.text_stream.get('neck'), *model.heads.values()):
        if part:
            part.update(NARROW.get(part.type, {}))
    for name in PARTS.keys() & model.heads.keys():
        model.heads[name].part = PARTS[name]
    if 'queue' in model:
        model.queue.dim //= 8


def shrunk(leaf, data):
    """The leaf with narrow features and towers of one block; everything else is as it stands there."""
    cfg = Config.fromfile(CONFIGS / leaf)
    init_default_scope('mmtbps')
    narrow(cfg.model)
    image, text = cfg.model.image_stream.backbone, cfg.model.text_stream.backbone
    arch = dict(embed_dim=64, layers=1)
    # CLIP's rule: a head for 64 channels, from which converters tell their number.
    image.update(arch=dict(arch, width=64, patch_size=16), init_cfg=None, quick_gelu=True)
    text.update(arch=dict(arch, width=64, heads=1), init_cfg=None, quick_gelu=True)
    changes = small_run(data)
    if cfg.train_dataloader.sampler.type != 'IdentitySampler':
        changes = {key: value for key, value in changes.items() if '.sampler.' not in key}
    changes['optim_wrapper.optimizer.lr'] = 1e-4
    changes['default_hooks.logger.interval'] = 1
    cfg.merge_from_dict(changes)
    return cfg


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_persons(tmp_path_factory.mktemp('data'), 'CUHKPEDES', CAPTIONS)


@pytest.fixture(scope='module', params=RECIPES)
def trained(request, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    cfg = shrunk(request.param, data)
    cfg.work_dir, cfg.experiment_name = str(folder), f'recipe_{next(number)}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
        figures = apis.train(cfg.copy())
        cfg.dump(folder / 'config.py')
    (checkpoint,) = folder.glob('epoch_1.pth')
    files = dict(config=folder / 'config.py', checkpoint=checkpoint, data=data)
    return SimpleNamespace(leaf=request.param, figures=figures, **files)


@pytest.fixture(scope='module')
def encoder(trained):
    return ModelEncoder(trained.config, trained.checkpoint)


def test_a_training_reports_on_test(trained):
    assert trained.figures.keys() >= {'t2i/R@1', 't2i/mAP', 'i2t/R@1'}
    state = load_checkpoint_file(trained.checkpoint)['state_dict']
    assert all(value.isfinite().all() for value in state.values())


@pytest.mark.usefixtures('unformatted_configs')
def test_a_test_and_its_report(trained, tmp_path):
    cfg = Config.fromfile(trained.config)
    cfg.work_dir, cfg.experiment_name = str(tmp_path), f'test_{next(number)}'
    figures = apis.test(cfg, str(trained.checkpoint), str(tmp_path / 'features.npz'))
    assert figures == pytest.approx({key: trained.figures[key] for key in figures})
    report = write_report(load_features(tmp_path / 'features.npz'), tmp_path / 'report')
    assert report['t2i']['R@1'] == pytest.approx(figures['t2i/R@1'])
    assert (tmp_path / 'report' / 'worst_queries.html').is_file()


def test_search_and_extraction(trained, encoder, tmp_path):
    searcher = Searcher(encoder)
    crops = trained.data / 'imgs'
    searcher.index(crops, tmp_path / 'gallery')
    answer = searcher.search(CAPTIONS[0], topk=5)
    found = Searcher.load(tmp_path / 'gallery').search(CAPTIONS[0], topk=5)
    assert [one.path for one in found] == [one.path for one in answer]
    assert len(answer) == 5

    extract_shards(encoder, list_gallery(crops), tmp_path / 'shards', num_workers=0, progress=False)
    (shard,) = read_shard_set(tmp_path / 'shards')
    images = encoder.encode_images([str(image.path) for image in list_gallery(crops)])
    np.testing.assert_allclose(shard.features, images.numpy(), atol=1e-5)


def test_saliency_sums_to_the_difference_from_the_baselines(encoder):
    image = np.random.default_rng(0).integers(0, 256, (40, 20, 3), dtype=np.uint8)
    saliency = compute_saliency(encoder, image, CAPTIONS[0], steps=4)
    assert saliency.shape == tuple(encoder.model.image_stream.backbone.image_size)
    assert np.isfinite(saliency).all()
    assert np.abs(saliency).max() > 0


@pytest.mark.parametrize('trained', ENCODERS, indirect=True)
def test_onnx(encoder, tmp_path):
    agreement = export_onnx(encoder, tmp_path)
    assert min(agreement.image_cosine, agreement.text_cosine) > 0.9999
    found = ONNXEncoder(tmp_path).encode_texts(CAPTIONS)
    torch.testing.assert_close(found, encoder.encode_texts(CAPTIONS), rtol=0, atol=1e-5)


def test_the_checkpoint_leaves_in_the_layout_of_the_public_code_and_comes_back(trained, encoder, tmp_path):
    layout = RECIPES[trained.leaf]
    revert_file(trained.checkpoint, tmp_path / 'theirs.pth', layout)
    public = torch.load(tmp_path / 'theirs.pth', weights_only=True)['model']
    mark = {'irra': 'base_model.', 'rde': 'texual_emb_layer.', 'tbps-clip': 'encode_text.'}[layout]
    assert any(name.startswith(mark) for name in public)

    convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
    back = ModelEncoder(tmp_path / 'ours.py', tmp_path / 'ours.pth')
    state, expected = back.model.state_dict(), encoder.model.state_dict()
    assert set(expected) >= set(state)
    for name, value in state.items():
        torch.testing.assert_close(value, expected[name], msg=name)
    if 'published' in trained.leaf:  # the same pixels
        image = str(next(Path(trained.data / 'imgs' / 'test').iterdir()))
        torch.testing.assert_close(back.encode_images([image]), encoder.encode_images([image]), rtol=0, atol=1e-5)
    torch.testing.assert_close(back.encode_texts(CAPTIONS), encoder.encode_texts(CAPTIONS), rtol=0, atol=1e-5)


STARTED = {
    'irra/irra_vit-b16-nam_1xb128-60e_cuhk-pedes.py': ('base_model.', (64, 32)),
    'rde/rde_vit-b16-ham_1xb128-60e_cuhk-pedes.py': ('base_model.', (64, 32)),
    # IRRA from TBPS-CLIP, whose positions are those of a square: one line on the leaf.
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes.py': ('encode_text.', (64, 64)),
}


@pytest.mark.usefixtures('unformatted_configs')
@pytest.mark.parametrize('leaf', STARTED)
def test_a_recipe_starts_from_published_towers(leaf, data, tmp_path):
    """Of the shape of NAM, HAM and TBPS-CLIP, converted; classifiers and selection layers start anew."""
    prefix, size = STARTED[leaf]
    cfg = shrunk(leaf, data)
    torch.manual_seed(3)
    image = MODELS.build(dict(cfg.model.image_stream.backbone, input_size=size))
    text = MODELS.build(cfg.model.text_stream.backbone)
    towers = {f'{"base_model." if prefix == "base_model." else ""}visual.': image, prefix: text}
    public = {
        start + name: value
        for start, tower in towers.items()
        for name, value in tower.state_dict().items()
        if name not in ('positional_grid', 'quick_gelu', 'attn_mask')
    }
    torch.save(dict(model=public), tmp_path / 'published.pth')
    convert_file(tmp_path / 'published.pth', tmp_path / 'towers.pth', options=Options(input_size=size))
    assert leaf.endswith('1xb64-60e_cuhk-pedes.py') or cfg.load_from in ('nam', 'ham')
    cfg.merge_from_dict({'load_from': str(tmp_path / 'towers.pth'), 'optim_wrapper.optimizer.lr': 0.0})
    cfg.merge_from_dict({'model.image_stream.backbone.input_size': (64, 32)})
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        resize = loader.dataset.pipeline[1]
        resize.update(dict(size=(64, 32)) if resize.type == 'ResizeFlipCrop' else dict(scale=(32, 64)))
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), f'start_{next(number)}'
    apis.train(cfg)

    state = load_checkpoint_file(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    for name, value in text.state_dict().items():
        torch.testing.assert_close(state[f'text_stream.backbone.{name}'], value, msg=name)
    for name, value in image.state_dict().items():
        if 'position' not in name:
            torch.testing.assert_close(state[f'image_stream.backbone.{name}'], value, msg=name)
    assert state['image_stream.backbone.positional_embedding'].shape == (1 + 4 * 2, 64)
