"""The ramp of a head's weight."""

from types import SimpleNamespace

import pytest
import torch
from tiny_retriever import dual_stream_config, make_batch

from mmtbps.engine import LossRampHook
from mmtbps.registry import HOOKS, MODELS


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = dual_stream_config()
    config['heads']['alignment']['loss_weight'] = 0.5
    return MODELS.build(config)


def make_runner(model, hook, iteration=0):
    return SimpleNamespace(model=model, hooks=[hook], iter=iteration, train_dataloader=range(4))


def losses_by_iteration(model, hook, iterations, start=0):
    runner = make_runner(model, hook, start)
    hook.before_train(runner)
    losses = []
    for runner.iter in iterations:
        hook.before_train_iter(runner, runner.iter)
        losses.append(model.loss(**make_batch(6))['alignment.loss'].item())
    hook.after_train(runner)
    return losses


def test_weight_grows_from_epoch_to_epoch_and_stays(model):
    whole = model.loss(**make_batch(6))['alignment.loss'].item()
    hook = HOOKS.build(dict(type='LossRampHook', head='alignment', begin=1, end=3))
    losses = losses_by_iteration(model, hook, range(16))
    shares = [0] * 4 + [i / 8 for i in range(8)] + [1] * 4
    assert losses == pytest.approx([share * whole for share in shares], rel=1e-5)
    assert model.heads['alignment'].loss_weight == 0.5


def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(model):
    whole = losses_by_iteration(model, LossRampHook('alignment', end=2), range(10))
    resumed = losses_by_iteration(model, LossRampHook('alignment', end=2), range(5, 10), start=5)
    assert resumed == pytest.approx(whole[5:])


def test_an_end_at_the_begin_is_a_step(model):
    whole = model.loss(**make_batch(6))['alignment.loss'].item()
    losses = losses_by_iteration(model, LossRampHook('alignment', begin=1, end=1), range(8))
    assert losses == pytest.approx([0] * 4 + [whole] * 4)


def test_bad_arguments_are_named(model):
    with pytest.raises(ValueError, match='begin 2 and end 1'):
        LossRampHook('alignment', begin=2, end=1)
    with pytest.raises(ValueError, match="no head 'contrast', only"):
        LossRampHook('contrast', end=1).before_train(make_runner(model, None))


def test_another_number_of_a_head_grows_alike(model):
    hook = HOOKS.build(dict(type='LossRampHook', head='identity', setting='label_smoothing', end=1))
    runner, head = make_runner(model, hook), model.heads['identity']
    hook.before_train(runner)
    found = []
    for runner.iter in range(6):
        hook.before_train_iter(runner, runner.iter)
        found.append(head.label_smoothing)
    hook.after_train(runner)
    assert found == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1])
    assert (head.label_smoothing, head.loss_weight) == (0.1, 1.0)


@pytest.mark.parametrize('setting', ['margin', 'needs', 'training'])
def test_a_setting_that_is_no_number_is_named(model, setting):
    hook = LossRampHook('identity', end=1, setting=setting)
    with pytest.raises(ValueError, match=f"setting='{setting}' is no number of the head 'identity', a IdentityHead"):
        hook.before_train(make_runner(model, hook))
