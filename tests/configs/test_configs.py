"""Every config builds, every key is known, and the paper's recipes say what the paper says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample

import mmtbps
from mmtbps.apis import resolve_data_sizes
from mmtbps.registry import DATASETS, HOOKS, METRICS, MODELS, PARAM_SCHEDULERS
from mmtbps.utils.config import check_config

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
LEAVES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.glob('[a-z]*/*.py'))
PUBLISHED = [leaf for leaf in LEAVES if '80e' in leaf]
META = dict(vocabulary=['<pad>', '<unk>', *(f'word{i}' for i in range(30))], person_ids=list(range(8)))


def load(leaf):
    cfg = Config.fromfile(CONFIGS / leaf)
    init_default_scope(cfg.default_scope)
    check_config(cfg)
    return resolve_data_sizes(cfg, META)


def without_pretrained_weights(cfg):
    """Weights are files that a test does not have; everything else stays."""
    for key, value in list(cfg.items()):
        if key == 'init_cfg':
            cfg[key] = None
        elif isinstance(value, dict):
            without_pretrained_weights(value)
    return cfg


def shrink(model):
    """A thin ResNet in place of the full one: the wiring is the same and a step takes a moment."""
    model = without_pretrained_weights(model)
    if model.image_stream.backbone.type == 'ResNet':
        model.image_stream.backbone.update(stem_channels=4, base_channels=4)
        assert model.image_projection.in_channels == 2048
        model.image_projection.in_channels = 128
    return model


def test_there_are_configs_for_every_data_set():
    text = ' '.join(LEAVES)
    assert all(name in text for name in ('toypedes', 'cuhk-pedes', 'icfg-pedes', 'rstp-reid'))


def batch_of(*persons):
    """Random images, smaller than the real ones where the model takes any size."""
    samples = []
    for person in persons:
        sample = DataSample(metainfo=dict(captions=['a sentence']))
        sample.set_field(person, 'person_id')
        sample.set_field([[2, 3, 4]], 'tokens')
        image = torch.randint(0, 256, (3, 96, 32), dtype=torch.uint8)
        samples.append(dict(inputs=dict(image=image), data_samples=sample))
    return pseudo_collate(samples)


@pytest.mark.parametrize('leaf', LEAVES)
def test_config_trains_and_predicts_one_batch(leaf):
    cfg = load(leaf)
    model = MODELS.build(shrink(cfg.model))
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    if leaf in PUBLISHED:
        check_published_rule_for_biases(model, optim_wrapper.optimizer)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    losses = model.train_step(batch_of(0, 0, 1, 1), optim_wrapper)
    assert torch.isfinite(losses['loss'])
    assert any(not torch.equal(old, new) for old, new in zip(before, trained, strict=True))
    model.eval()
    with torch.no_grad():
        (prediction,) = model.test_step(batch_of(0))
    assert prediction.image_feat.shape == prediction.text_feats[0].shape


def check_published_rule_for_biases(model, optimizer):
    """Learning rate x 2 and no decay for every parameter with 'bias' in its name; few groups, not one a tensor."""
    groups = optimizer.param_groups
    settings = {id(p): (group['lr'], group['weight_decay']) for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert settings[id(parameter)] == ((2e-4, 0.0) if 'bias' in name else (1e-4, 4e-5)), name
    assert len(groups) == 2


@pytest.mark.parametrize('leaf', LEAVES)
def test_parts_beside_the_model_build(leaf):
    cfg = load(leaf)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        Compose(loader.dataset.pipeline)
        dataset = dict(loader.dataset)
        assert DATASETS.build(dict(dataset, lazy_init=True)).split == loader.dataset.split
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        HOOKS.build(hook)
    METRICS.build(cfg.val_evaluator)


@pytest.mark.parametrize('leaf', LEAVES)
def test_selection_on_val_and_report_on_test(leaf):
    cfg = load(leaf)
    splits = [cfg[f'{name}_dataloader'].dataset.split for name in ('train', 'val', 'test')]
    assert splits == ['train', 'val', 'test']
    assert cfg.default_hooks.checkpoint.save_best == 't2i/R@1'
    assert cfg.default_hooks.checkpoint.rule == 'greater'


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_published_learning_rates(leaf):
    """The factor of each epoch, counted from 0: 0.1 + 0.9 e/5 for e < 5, 1, x 0.1 from 40, x 0.01 from 70."""
    cfg = load(leaf)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer), default_args=dict(epoch_length=1))
        for scheduler in cfg.param_scheduler
    ]
    factors = []
    for _ in range(cfg.train_cfg.max_epochs):
        factors.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    expected = [0.1 + 0.9 * e / 5 if e < 5 else 1.0 if e < 40 else 0.1 if e < 70 else 0.01 for e in range(80)]
    np.testing.assert_allclose(factors, expected, rtol=1e-12)


@pytest.mark.parametrize('leaf', PUBLISHED)
def test_published_optimizer_and_data(leaf):
    cfg = load(leaf)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('Adam', 1e-4, 4e-5)
    train = cfg.train_dataloader
    assert (train.batch_size, train.sampler.batch_size, train.sampler.num_instances) == (128, 128, 4)
    steps = [step.type for step in train.dataset.pipeline]
    assert steps == ['LoadPersonImage', 'ResizeFlipCrop', 'RandomErasingBox', 'TokenizeCaption', 'PackTBPSInputs']
    crop = train.dataset.pipeline[1]
    assert (crop.size, crop.padding) == ((384, 128), 10)
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (128, 384)


def test_published_forms_differ_in_their_switches_alone():
    for leaf in LEAVES:
        if leaf.endswith('-published.py'):
            published, default = load(leaf), load(leaf.replace('-published', ''))
            model = published.model
            assert model.pop('published_init') is True
            assert model.queue.pop('random_init') is True
            assert model.text_stream.neck.pop('legacy_padding') is True
            assert model.heads.contrastive.pop('exclude') == 'batch'
            assert published.to_dict() == default.to_dict()
