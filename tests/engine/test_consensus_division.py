"""The division of training pairs into clean and noisy ones."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from tiny_recipes import recipe_batch, recipe_config

from mmtbps.datasets import TBPSDataset
from mmtbps.engine import ConsensusDivisionHook, clean_probabilities, divide, is_clean
from mmtbps.registry import HOOKS, MODELS


def two_modes(size, noisy, apart, seed=0):
    """Losses of two kinds of pairs, and which are noisy."""
    generator = torch.Generator().manual_seed(seed)
    is_noisy = torch.arange(size) < round(noisy * size)
    return torch.randn(size, generator=generator) * 0.3 + apart * is_noisy, is_noisy


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 0.9), st.floats(3, 20), st.integers(0, 99), st.floats(0.01, 50))
def test_two_modes_are_told_apart_whatever_their_scale(noisy, apart, seed, scale):
    losses, is_noisy = two_modes(400, noisy, apart, seed)
    found = is_clean(clean_probabilities(scale * losses + 3))
    assert (found == ~is_noisy).float().mean() > 0.98


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30))
def test_any_losses_have_probabilities(values):
    losses = torch.tensor(values)
    found = clean_probabilities(losses)
    assert ((found >= 0) & (found <= 1)).all()
    assert torch.equal(found, clean_probabilities(losses))
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(clean_probabilities(losses[order]), found[order], rtol=0, atol=1e-6)


def test_it_is_the_mixture_of_scikit_learn():
    mixture = pytest.importorskip('sklearn.mixture')
    losses, _ = two_modes(500, 0.3, 1.5)
    values = (losses - losses.min()) / (losses.max() - losses.min())
    model = mixture.GaussianMixture(2, max_iter=100, tol=1e-4, reg_covar=1e-6, random_state=0)
    rows = values.double().numpy()[:, None]
    expected = model.fit(rows).predict_proba(rows)[:, np.argmin(model.means_)]
    found = clean_probabilities(losses, max_iter=100, tol=1e-4, reg_covar=1e-6)
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=0, atol=1e-2)


def test_equal_losses_are_all_clean():
    for count in (1, 5, 300):
        probabilities = clean_probabilities(torch.full((count,), 2.0))
        assert probabilities.tolist() == [1.0] * count
        assert is_clean(probabilities).all()
    mostly = torch.tensor([0.9] + [1.0] * 299)  # the lowest hundredth ends among the ones
    assert is_clean(mostly).tolist() == [False] + [True] * 299


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_agreement_decides_and_otherwise_a_coin(votes):
    first, second = (torch.tensor(part) for part in zip(*votes, strict=True))
    weights = divide(first, second, torch.Generator().manual_seed(0))
    assert torch.equal(weights[first == second], first[first == second].float())
    assert set(weights.tolist()) <= {0.0, 1.0}
    fair = divide(torch.ones(4000).bool(), torch.zeros(4000).bool(), torch.Generator().manual_seed(0))
    assert 0.45 < fair.mean() < 0.55


class Data(TBPSDataset):
    """Places of items, nothing else."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


class Loader:
    def __init__(self, batches, size):
        self.batches, self.dataset, self.passes = batches, Data(size), 0

    def __iter__(self):
        self.passes += 1
        return iter(self.batches)


def make_runner(epoch=0, loop=EpochBasedTrainLoop, model=None, spare=0):
    torch.manual_seed(0)
    messages = []
    return SimpleNamespace(
        model=model or MODELS.build(recipe_config()).double().train(),
        train_dataloader=Loader([recipe_batch(8, step, 8 * step) for step in range(3)], 24 + spare),
        train_loop=object.__new__(loop),
        optim_wrapper=SimpleNamespace(optim_context=lambda _: contextlib.nullcontext()),
        epoch=epoch,
        logger=SimpleNamespace(info=messages.append),
        messages=messages,
        _resume=True,
    )


def weights_after(hook, runner):
    hook.before_train_epoch(runner)
    heads = runner.model.heads
    assert torch.equal(heads['bge'].pair_weights, heads['tse'].pair_weights)
    return heads['bge'].pair_weights


def test_weights_of_an_epoch():
    runner, hook = make_runner(), HOOKS.build(dict(type='ConsensusDivisionHook'))
    hook.before_train(runner)
    weights = weights_after(hook, runner)
    assert weights.shape == (24,)
    assert set(weights.tolist()) == {0.0, 1.0}
    assert runner.model.training
    assert 'of 24 pairs are clean for both heads' in runner.messages[0]
    assert torch.equal(weights, weights_after(ConsensusDivisionHook(), make_runner()))


def test_pairs_that_the_epoch_does_not_show_keep_their_weight():
    weights = weights_after(ConsensusDivisionHook(), make_runner(spare=5))
    assert weights[24:].tolist() == [1.0] * 5


def test_pairs_of_a_batch_of_one_identity_tell_nothing_and_take_part():
    alone = recipe_batch(1, 3, 24)
    runner, hook = make_runner(spare=1), ConsensusDivisionHook()
    runner.train_dataloader.batches.append(alone)
    weights = weights_after(hook, runner)
    assert torch.equal(weights[:24], weights_after(ConsensusDivisionHook(), make_runner()))
    assert weights[24] == 1

    runner.train_dataloader.batches = [alone]
    runner.logger.warning = runner.messages.append
    assert (weights_after(hook, runner) == 1).all()
    assert 'every batch has one identity' in runner.messages[-1]


def test_the_losses_are_those_of_the_heads_in_evaluation_mode():
    runner = make_runner()
    losses = ConsensusDivisionHook()._losses(runner, runner.model)
    runner.model.eval()
    for row, name in zip(losses, ('bge', 'tse'), strict=True):
        pairs = [runner.model.pairs_of(**batch) for batch in runner.train_dataloader]
        expected = torch.cat([runner.model.heads[name].pair_losses(part) for part in pairs])
        torch.testing.assert_close(row, expected.detach())


def test_a_run_that_goes_on_in_an_epoch_keeps_its_division():
    runner, hook, checkpoint = make_runner(epoch=2), ConsensusDivisionHook(), {}
    hook.before_save_checkpoint(runner, checkpoint)
    assert not checkpoint
    weights = weights_after(hook, runner)
    hook.before_save_checkpoint(runner, checkpoint)

    for epoch, passes in ((2, 0), (3, 1)):
        resumed, other = make_runner(epoch=epoch), ConsensusDivisionHook()
        other.after_load_checkpoint(resumed, checkpoint)
        found = weights_after(other, resumed)
        assert resumed.train_dataloader.passes == passes
        assert torch.equal(found, weights) or epoch == 3
    started = make_runner(epoch=2)
    started._resume = False
    fresh = ConsensusDivisionHook()
    fresh.after_load_checkpoint(started, checkpoint)
    weights_after(fresh, started)
    assert started.train_dataloader.passes == 1


def test_what_it_cannot_work_with_is_named():
    with pytest.raises(ValueError, match='heads must be two names'):
        ConsensusDivisionHook(heads=('bge',))
    with pytest.raises(ValueError, match="no TALHead 'sdm', only"):
        ConsensusDivisionHook(heads=('bge', 'sdm')).before_train(make_runner())
    with pytest.raises(ValueError, match='needs a training by epochs'):
        ConsensusDivisionHook().before_train(make_runner(loop=IterBasedTrainLoop))
    runner = make_runner()
    runner.train_dataloader.dataset = range(24)
    with pytest.raises(ValueError, match=r'needs a data set whose items .* has a range'):
        ConsensusDivisionHook().before_train(runner)
