"""A loss or weights that are no numbers stop a run; embeddings that are all alike are noticed."""

import logging
import os

import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from tiny_retriever import cm_moco_config, dual_stream_config

from mmtbps.core.checkpoint import load_checkpoint_file, newest_good

BAD = 13
HOOKS = [dict(type='mmtbps.MomentumUpdateHook'), dict(type='mmtbps.QueueUpdateHook')]


class Pairs(torch.utils.data.Dataset):
    """Four pairs a batch; item 13 has a pixel that is no number, or all images are one."""

    def __init__(self, constant=False, broken=BAD):
        self.constant, self.broken = constant, broken

    def __len__(self):
        return 24

    def __getitem__(self, index):
        image = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0 if self.constant else index))
        image[0, 0, 0] = torch.nan if index == self.broken else 0.0
        sample = DataSample(metainfo=dict(img_path=f'imgs/{index}.png'))
        sample.set_field(index % 8, 'person_id')
        return dict(inputs=image, tokens=[index % 7 + 2, 3], data_samples=sample)


def collate(items):
    tokens = torch.tensor([item['tokens'] for item in items])
    inputs = dict(images=torch.stack([item['inputs'] for item in items]), tokens=tokens)
    inputs |= dict(lengths=torch.full((len(items),), 2), captions_per_image=[1] * len(items))
    return dict(inputs=inputs, data_samples=[item['data_samples'] for item in items])


def build(work_dir, model, dataset, epochs=2, lr=0.01, **hooks):
    momentum = model['type'] == 'CMMoCoRetriever'
    return Runner(
        model=dict(model, type=f'mmtbps.{model["type"]}'),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=4, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False), collate_fn=collate
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr)),
        default_hooks=dict(
            checkpoint=dict(type='mmtbps.CheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=1),
            finite_loss=dict(type='mmtbps.FiniteLossHook', **hooks),
            collapse=dict(type='mmtbps.CollapseHook', interval=3),
        ),
        custom_hooks=HOOKS if momentum else None,
        experiment_name=os.urandom(6).hex(),
        default_scope='mmtbps',
    )


@pytest.fixture(params=['baseline', 'cm-moco'])
def model(request):
    return dual_stream_config() if request.param == 'baseline' else cm_moco_config()


def test_the_run_stops_and_says_where(tmp_path, model):
    torch.manual_seed(0)
    build(tmp_path, model, Pairs(broken=None), epochs=1).train()
    before = (tmp_path / 'epoch_1.pth').read_bytes()
    runner = build(tmp_path, model, Pairs(), epochs=1)
    told = (
        r'Iteration 4: .*alignment\.loss = nan.*\(learning rate 0\.01\)\. Files of the batch: imgs/12\.png, '
        r'imgs/13\.png, imgs/14\.png, imgs/15\.png\. The run stops before anything is saved'
    )
    with pytest.raises(RuntimeError, match=told):
        runner.train()

    assert (tmp_path / 'epoch_1.pth').read_bytes() == before
    assert newest_good(tmp_path.glob('*.pth'), resumable=True).name == 'epoch_1.pth'
    assert all(bool(torch.isfinite(value).all()) for value in runner.model.parameters())
    aside = load_checkpoint_file(tmp_path / 'nonfinite/iter_4.pth')
    assert aside['files'][1] == 'imgs/13.png'
    assert torch.isfinite(aside['state_dict']['image_projection.linear.weight']).all()


def test_iterations_can_be_left_out_up_to_a_limit(tmp_path, model, caplog):
    torch.manual_seed(0)
    runner = build(tmp_path, model, Pairs(), epochs=2, skip=2)
    with caplog.at_level(logging.WARNING):
        runner.train()
    assert runner.message_hub.get_info('skipped_iterations') == 2
    assert all(bool(torch.isfinite(value).all()) for value in runner.model.state_dict().values())
    if hasattr(runner.model, 'queue'):
        assert runner.model.queue.fill == 20

    with pytest.raises(RuntimeError, match=r'1 iterations were left out before'):
        build(tmp_path / 'again', model, Pairs(), epochs=2, skip=1).train()


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    model = dual_stream_config()
    build(tmp_path, model, Pairs(broken=None), epochs=1).train()
    runner = build(tmp_path, model, Pairs(broken=None), epochs=1)
    runner.model.heads['identity'].projection.register_hook(lambda gradient: gradient * torch.inf)
    before = (tmp_path / 'epoch_1.pth').read_bytes()
    with pytest.raises(RuntimeError, match=r'heads\.identity\.projection|loss = nan'):
        runner.train()
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before


def test_an_overflow_in_the_last_step_of_an_epoch_is_noticed_at_the_latest_when_saving(tmp_path):
    runner = build(tmp_path, dual_stream_config(), Pairs(broken=None), epochs=1)
    seen = []
    runner.model.heads['identity'].projection.register_hook(
        lambda gradient: seen.append(1) or (gradient * (torch.inf if len(seen) == 6 else 1.0))
    )
    told = r'After iteration 6, 1 weights are NaN or infinite, the first is heads\.identity\.projection'
    with pytest.raises(RuntimeError, match=told):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('constant', [True, False])
def test_embeddings_that_are_all_alike_are_told(tmp_path, model, constant, monkeypatch):
    torch.manual_seed(0)
    told = []
    runner = build(tmp_path, model, Pairs(constant=constant, broken=None), epochs=2)
    monkeypatch.setattr(runner.logger, 'warning', lambda message, *args: told.append(message))
    runner.train()

    alike = [message for message in told if 'are all alike' in message]
    assert len(alike) == constant
    assert all('embeddings of images' in message for message in alike)


def test_buffers_may_be_infinite(tmp_path):
    runner = build(tmp_path, dual_stream_config(), Pairs(broken=None), epochs=1)
    runner.model.register_buffer('mask', torch.full((2,), -torch.inf))
    runner.train()
    assert (tmp_path / 'epoch_1.pth').is_file()
