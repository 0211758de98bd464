"""What a run does with the weights that it is given: it starts from all of them, or not at all."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import EpochBasedTrainLoop

from mmtbps.apis import build_runner, train
from mmtbps.apis import test as run_test
from mmtbps.converters import publish_checkpoint
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.engine import FitWeightsHook
from mmtbps.models import DualStreamRetriever

FOREIGN = {'model': {'base_model.visual.conv1.weight': torch.zeros(4, 3, 2, 2)}, 'epoch': 60}


@pytest.fixture
def stored(checkpoint):
    return load_checkpoint_file(checkpoint)


@pytest.fixture
def save(tmp_path):
    def write(content):
        torch.save(content, tmp_path / 'given.pth')
        return str(tmp_path / 'given.pth')

    return write


@pytest.fixture
def load(monkeypatch):
    """Go through a training up to its first epoch; returns the Runner."""

    def start(cfg):
        runner = build_runner(cfg)
        with monkeypatch.context() as patch:
            patch.setattr(EpochBasedTrainLoop, 'run', lambda loop: None)
            runner.train()
        return runner

    return start


def log_of(cfg):
    return ''.join(file.read_text() for file in Path(cfg.work_dir).glob('*/*.log'))


def wrap(stored):
    return dict(meta=stored['meta'], model={f'module.module.{k}': v for k, v in stored['state_dict'].items()})


def encoders_alone(stored):
    weights = {k: v for k, v in stored['state_dict'].items() if k.split('.')[0] in DualStreamRetriever.encoders}
    return dict(meta=stored['meta'], state_dict=weights)


@pytest.mark.parametrize('hooks', [{}, {'fit_weights': None}, {'dataset_meta': None, 'fit_weights': None}])
def test_a_training_from_weights_that_do_not_fit_is_refused_whatever_hooks_a_config_has(config, save, hooks):
    cfg = config()
    cfg.default_hooks.update(hooks)
    cfg.load_from = save(FOREIGN)
    with pytest.raises(ValueError, match=r'given\.pth does not fit .* lacks .*base_model \(1 weight\)\. load_from'):
        train(cfg)
    assert not list(Path(cfg.work_dir).glob('*.pth'))


@pytest.mark.parametrize('layout', [wrap, encoders_alone, lambda stored: stored['state_dict']])
def test_a_training_starts_from_every_weight_of_the_encoders_in_any_layout(config, load, save, stored, layout):
    cfg = config()
    cfg.load_from = save(layout(stored))
    if 'meta' not in layout(stored):
        with pytest.raises(ValueError, match='does not name the words'):
            load(cfg)
        return
    state = load(cfg).model.state_dict()
    for name, value in encoders_alone(stored)['state_dict'].items():
        assert torch.equal(state[name], value), name
    assert 'do not match exactly' not in log_of(cfg)
    assert ('as initialised: heads.itc (1 weight)' in log_of(cfg)) == (layout is encoders_alone)


def test_what_the_config_ignores_starts_anew_and_stands_in_the_log(config, load, save, stored):
    weights = stored['state_dict']
    weights['image_projection.linear.weight'] = weights['image_projection.linear.weight'][:7]
    cfg = config()
    cfg.load_from = save(stored)
    with pytest.raises(ValueError, match=r'size mismatch for image_projection\.linear\.weight.*fit_weights\.ignore'):
        load(cfg)
    cfg = config()
    cfg.load_from = save(stored)
    cfg.default_hooks.fit_weights.ignore = ['image_projection.*']
    state = load(cfg).model.state_dict()
    assert not torch.equal(state['image_projection.linear.bias'], weights['image_projection.linear.bias'])
    assert torch.equal(state['text_projection.linear.weight'], weights['text_projection.linear.weight'])
    log = log_of(cfg)
    assert 'as ignore says: image_projection.linear.bias, image_projection.linear.weight.' in log
    assert 'do not match exactly' not in log
    cfg = config()
    cfg.load_from = save(stored)
    cfg.default_hooks.fit_weights.ignore = ['nothing.*']
    with pytest.raises(ValueError, match=r"ignore=\['nothing\.\*'\] matches no name"):
        load(cfg)
    with pytest.raises(TypeError, match=r"ignore must be a list, got 'heads\.\*'"):
        FitWeightsHook('heads.*')


def test_what_is_ignored_at_the_start_is_loaded_from_the_best_epoch(config, save, stored):
    cfg = config()
    cfg.load_from = save(stored)
    cfg.default_hooks.fit_weights.ignore = ['image_projection.*']
    assert train(cfg)['t2i/R@10'] > 0
    assert log_of(cfg).count('as ignore says') == 1


def test_only_a_whole_checkpoint_is_resumed(config, load, save, stored, checkpoint, tmp_path):
    cfg = config(epochs=2)
    cfg.load_from, cfg.resume = str(publish_checkpoint(checkpoint, tmp_path / 'published').path), True
    with pytest.raises(ValueError, match=r'published-\w{8}\.pth has no optimizer and no message_hub.*load_from='):
        load(cfg)
    cfg = config(epochs=2)
    cfg.load_from, cfg.resume = save({**stored, **encoders_alone(stored)}), True
    with pytest.raises(ValueError, match=r'given\.pth does not fit .* lacks heads\.itc\..* Resume with the config'):
        load(cfg)


def test_averaged_weights_start_from_the_checkpoint_in_any_layout_and_are_resumed(config, load, save, stored):
    cfg = config()
    cfg.custom_hooks = [dict(type='EMAHook')]
    cfg.load_from = save(wrap(stored))
    runner = load(cfg)
    (ema,) = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    for state in (runner.model.state_dict(), ema.ema_model.module.state_dict()):
        assert all(torch.equal(value, stored['state_dict'][name]) for name, value in state.items())
    averaged = {name: value + 1 if value.is_floating_point() else value for name, value in stored['state_dict'].items()}
    source = {f'module.{name}': value for name, value in stored['state_dict'].items()}
    steps = dict(steps=torch.tensor(5))
    cfg = config(epochs=2)
    cfg.custom_hooks = [dict(type='EMAHook')]
    cfg.load_from, cfg.resume = save({**stored, 'state_dict': averaged, 'ema_state_dict': {**source, **steps}}), True
    runner = load(cfg)
    (ema,) = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    averages = ema.ema_model.module.state_dict()
    for state, expected in ((runner.model.state_dict(), stored['state_dict']), (averages, averaged)):
        assert all(torch.equal(value, expected[name]) for name, value in state.items())


def test_a_test_gives_the_same_figures_in_any_layout(config, checkpoint, save, stored, tmp_path):
    expected = run_test(config(), checkpoint)
    published = publish_checkpoint(checkpoint, tmp_path / 'published').path
    keys = {'queue.image': torch.ones(2, 3), 'key_encoders.image_stream.backbone.conv1.weight': torch.ones(1)}
    momentum = dict(stored, state_dict={**stored['state_dict'], **keys})
    for given in (str(published), save(wrap(stored)), save(momentum)):
        cfg = config()
        assert run_test(cfg, given) == expected
        assert 'do not match exactly' not in log_of(cfg)
