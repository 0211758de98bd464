"""The hooks that move keys and queue."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel, convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from tiny_retriever import cm_moco_config, dual_stream_config, make_batch
from torch.nn import functional as F

from mmtbps.registry import HOOKS, MODELS

NAMES = ['MomentumUpdateHook', 'QueueUpdateHook']


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MODELS.build(cm_moco_config(momentum=0.5))
    model.init_weights()
    return model.train()


def make_runner(model, hooks=NAMES, accumulate=1, iterations=6):
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=accumulate)
    wrapper.initialize_count_status(model, 0, iterations)
    hooks = [HOOKS.build(dict(type=hook) if isinstance(hook, str) else hook) for hook in hooks]
    return SimpleNamespace(model=model, optim_wrapper=wrapper, hooks=hooks, iter=0, max_iters=iterations)


def run_iteration(runner):
    for hook in runner.hooks:
        hook.before_train_iter(runner, runner.iter)
    with runner.optim_wrapper.optim_context(runner.model):
        losses = runner.model.loss(**make_batch(4, seed=runner.iter))
    runner.optim_wrapper.update_params(sum(losses.values()))
    for hook in runner.hooks:
        hook.after_train_iter(runner, runner.iter)
    runner.iter += 1


def weight_of_keys(model):
    return model.key_encoders['image_stream'].backbone.conv1.weight.clone()


def test_keys_follow_before_and_queue_after_the_iteration(model):
    runner = make_runner(model)
    key, query = weight_of_keys(model), model.image_stream.backbone.conv1.weight
    for iteration in range(3):
        expected = 0.5 * key + 0.5 * query.detach().clone()
        run_iteration(runner)
        key = weight_of_keys(model)
        torch.testing.assert_close(key, expected)
        assert not torch.allclose(key, query)
        assert model.queue.fill == 4 * (iteration + 1)


@pytest.mark.parametrize(('accumulate', 'iterations', 'moves'), [(1, 3, [0, 1, 2]), (3, 7, [2, 5, 6])])
def test_keys_move_once_per_step_of_the_optimizer(model, accumulate, iterations, moves):
    runner = make_runner(model, accumulate=accumulate, iterations=iterations)
    moved, stepped = [], []
    update = model.update_key_encoders
    model.update_key_encoders = lambda momentum: (moved.append(runner.iter), update(momentum))
    step = runner.optim_wrapper.optimizer.step
    runner.optim_wrapper.optimizer.step = lambda: (stepped.append(runner.iter), step())
    for _ in range(iterations):
        run_iteration(runner)
    assert moved == stepped == moves
    assert model.queue.pointer == 4 * iterations % 20


def test_cosine_momentum_grows_to_its_end(model):
    runner = make_runner(model, [dict(type='MomentumUpdateHook', end_momentum=1.0), 'QueueUpdateHook'], iterations=4)
    seen = []
    model.update_key_encoders = seen.append
    for _ in range(4):
        run_iteration(runner)
    assert seen == pytest.approx([0.5, 0.5 + 0.5 * (1 - 0.5**0.5) / 2, 0.75, 0.5 + 0.5 * (1 + 0.5**0.5) / 2])
    assert runner.hooks[0].current_momentum(0.5, 1.0) == 1.0
    with pytest.raises(ValueError, match=r'end_momentum must be in 0\.\.1, got 2'):
        HOOKS.build(dict(type='MomentumUpdateHook', end_momentum=2))


@pytest.mark.parametrize(('present', 'missing'), [(NAMES, None), (NAMES[:1], NAMES[1]), (NAMES[1:], NAMES[0])])
def test_each_hook_demands_the_other(model, present, missing):
    runner = make_runner(model, present)
    if missing is None:
        for hook in runner.hooks:
            hook.before_train(runner)
        return
    with pytest.raises(RuntimeError, match=f'{present[0]} works together with {missing}; add dict'):
        runner.hooks[0].before_train(runner)


def test_a_hook_of_a_derived_class_serves(model):
    derived = [type(f'Own{name}', (HOOKS.get(name),), {})() for name in NAMES]
    for hook in derived:
        hook.before_train(SimpleNamespace(model=model, hooks=derived))


def test_staged_keys_of_an_earlier_iteration(model):
    runner = make_runner(model)
    model.loss(**make_batch(4))
    with pytest.raises(RuntimeError, match='QueueUpdateHook did not commit'):
        run_iteration(runner)
    # A run that was interrupted in the middle of an iteration can be taken up again.
    runner.hooks[0].before_train(runner)
    run_iteration(runner)
    assert not model.queue.staged


def test_other_models_are_refused():
    runner = make_runner(MODELS.build(dual_stream_config()))
    with pytest.raises(TypeError, match='MomentumUpdateHook needs a CMMoCoRetriever, got DualStreamRetriever'):
        runner.hooks[0].before_train(runner)


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures('process_group')
def test_wrapped_model_is_found(model):
    runner = make_runner(model)
    runner.model = MMDistributedDataParallel(model)
    assert runner.hooks[0].retriever(runner) is model


@pytest.mark.usefixtures('process_group')
@pytest.mark.parametrize('wrap', [lambda model: model, MMDistributedDataParallel], ids=['bare', 'DDP'])
def test_training_without_hooks_is_noticed(model, wrap):
    optim_wrapper = make_runner(model).optim_wrapper
    trained = wrap(model)
    trained.train_step(make_batch(4), optim_wrapper)
    before = model.image_stream.backbone.conv1.weight.detach().clone()
    with pytest.raises(RuntimeError, match=r'MomentumUpdateHook.*QueueUpdateHook.*in custom_hooks'):
        trained.train_step(make_batch(4), optim_wrapper)
    assert torch.equal(model.image_stream.backbone.conv1.weight, before)
    model.queue.commit()
    for _ in range(3):
        model.loss(**make_batch(4))
    trained.train_step(make_batch(4), optim_wrapper)


def test_status_against_loops(model):
    model.queue.stage(*F.normalize(torch.randn(2, 12, 16), dim=2), torch.arange(12) % 9)
    model.queue.commit()
    batch = make_batch(4)
    model.loss(**batch)
    pairs = model.latest_pairs
    assert not pairs.image.requires_grad
    hook = HOOKS.build(dict(type='QueueStatusHook'))
    found = {name: value.item() for name, value in hook.describe(model.heads['contrastive'], pairs).items()}

    ids = [sample.person_id for sample in batch['data_samples']]
    masked, positive, hardest = 0, [], []
    contrast = pairs.contrast
    for queries, keys, slots in (
        (contrast.image_queries, contrast.text_keys, model.queue.text),
        (contrast.text_queries, contrast.image_keys, model.queue.image),
    ):
        for query, key, person in zip(F.normalize(queries, dim=1), keys, ids, strict=True):
            positive.append((query @ key).item())
            kept = [j for j, other in enumerate(model.queue.person_ids.tolist()) if other not in (-1, person)]
            masked += 20 - len(kept)
            hardest.append(max((query @ slots[:, j]).item() for j in kept))
    expected = dict(
        queue_fill=12 / 20,
        queue_masked=masked / (2 * 4 * 20),
        positive_similarity=sum(positive) / 8,
        hardest_negative_similarity=sum(hardest) / 8,
        image_std=F.normalize(pairs.image, dim=1).std(0).mean().item(),
        text_std=F.normalize(pairs.text, dim=1).std(0).mean().item(),
    )
    assert found == pytest.approx(expected, rel=1e-5)


class Collapse(Hook):
    """Notes what a Runner shows of the state during training."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        assert not runner.model.queue.staged


def build_runner(work_dir, max_epochs=2, **kwargs):
    return Runner(
        model=cm_moco_config(momentum=0.9),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=[0, 1, 2], batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False), collate_fn=_batch_of
        ),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3), constructor='GroupedOptimWrapperConstructor'
        ),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[*(dict(type=name) for name in NAMES), dict(type='QueueStatusHook', interval=2)],
        default_scope='mmtbps',
        randomness=dict(seed=0),
        experiment_name=f'momentum-contrast-{work_dir.name}',
        **kwargs,
    )


def test_in_a_runner(tmp_path):
    """Log and checkpoint, through MMEngine's own loop."""
    runner = build_runner(tmp_path)
    runner.register_hook(Collapse())
    model = runner.train()
    assert model.queue.fill == 20
    assert model.queue.pointer == 24 % 20
    stored = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['state_dict']
    for name, value in model.state_dict().items():
        assert torch.equal(value, stored[name]), name
    lines = [json.loads(line) for line in next(tmp_path.rglob('vis_data/scalars.json')).read_text().splitlines()]
    assert lines[1]['queue_fill'] == pytest.approx(4 / 20)
    assert lines[-1]['queue_fill'] == pytest.approx(1.0)
    assert {'positive_similarity', 'hardest_negative_similarity', 'queue_masked', 'image_std'} <= lines[-1].keys()


def test_resumed_is_uninterrupted(tmp_path):
    expected = build_runner(tmp_path / 'whole').train().state_dict()
    build_runner(tmp_path / 'part', max_epochs=1).train()
    resumed = build_runner(tmp_path / 'again', resume=True, load_from=str(tmp_path / 'part' / 'epoch_1.pth')).train()
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_batch_norms_of_queries_and_keys_become_synchronised(model):
    norms = [name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
    state = model.state_dict()
    converted = convert_sync_batchnorm(model, 'torch')  # what `sync_bn = 'torch'` in a config does
    modules = dict(converted.named_modules())
    assert any(name.startswith('key_encoders') for name in norms)
    assert all(isinstance(modules[name], torch.nn.SyncBatchNorm) for name in norms)
    assert converted.state_dict().keys() == state.keys()


def _batch_of(items):
    return make_batch(4, seed=items[0])
