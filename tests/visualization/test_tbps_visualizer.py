"""The visualizer's backends and the hook that feeds them, in one process and in two."""

import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmpretrain.structures import DataSample
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmtbps.apis import train
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.engine import RankedListHook
from mmtbps.registry import VISUALIZERS
from mmtbps.visualization import TBPSVisualizer

GREEN, RED = (0x1A, 0x98, 0x50), (0xD7, 0x30, 0x27)


def visualizer(folder, *backends):
    TBPSVisualizer._instance_dict.clear()
    backends = [dict(type=backend) for backend in backends]
    config = dict(type='TBPSVisualizer', name='drawn', vis_backends=backends, save_dir=str(folder))
    return VISUALIZERS.build(config)


def write_images(folder, count=7):
    paths = []
    for index in range(count):
        paths.append(str(folder / f'{index}.png'))
        cv2.imwrite(paths[-1], np.full((60, 20, 3), 30 * index, np.uint8))
    return paths


def colours(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_pictures_reach_files_and_tensorboard(tmp_path):
    paths = write_images(tmp_path)
    drawn = visualizer(tmp_path, 'LocalVisBackend', 'TensorboardVisBackend')
    picture = drawn.add_ranked_list(
        'query', 'a man', paths[:2], [0.9, 0.5], matches=[True, False], person_ids=[3, 4], query_image=paths[2], step=6,
        out_file=tmp_path / 'out.png',
    )  # fmt: skip
    drawn.close()
    assert {GREEN, RED} <= colours(picture)
    (saved,) = tmp_path.rglob('query_6.png')
    np.testing.assert_array_equal(cv2.imread(str(saved))[..., ::-1], picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'out.png'))[..., ::-1], picture)
    (event,) = stored_images(tmp_path)['query']
    assert event.step == 6
    decoded = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(decoded, picture)


def stored_images(folder):
    (file,) = folder.rglob('events.out.tfevents.*')
    events = EventAccumulator(str(file)).Reload()
    return {tag: events.Images(tag) for tag in events.Tags()['images']}


def test_pictures_reach_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip('wandb', reason='wandb is not installed')
    monkeypatch.setenv('WANDB_MODE', 'offline')
    drawn = visualizer(tmp_path, 'WandbVisBackend')
    drawn.add_ranked_list('query', 'a man', write_images(tmp_path)[:2], [0.9, 0.5])
    drawn.close()
    assert list(tmp_path.rglob('*.wandb'))
    assert list(tmp_path.rglob('query_*.png'))


class Recorder(TBPSVisualizer):
    def __init__(self, name='recorder'):
        super().__init__(name)
        self.drawn = []

    def add_ranked_list(self, *arguments, **options):
        self.drawn.append((arguments, options))


def make_samples(paths):
    """Images of two persons with 0, 1 or 2 captions; features of one person are alike."""
    samples = []
    for index, path in enumerate(paths):
        captions = [f'caption {index}.{number}' for number in range(index % 3)]
        rng = torch.Generator().manual_seed(index)
        samples.append(DataSample(metainfo=dict(img_path=path, captions=captions)))
        samples[-1].set_field(index % 2, 'person_id')
        samples[-1].set_field(torch.eye(4)[index % 2] + 0.1 * torch.rand(4, generator=rng), 'image_feat')
        samples[-1].set_field(torch.eye(4)[index % 2].repeat(len(captions), 1), 'text_feats')
    return samples


def validate(hook, samples, indices, epoch=4, batch=2):
    loader = SimpleNamespace(dataset=samples)
    runner = SimpleNamespace(epoch=epoch, visualizer=Recorder(), val_dataloader=loader)
    hook.before_run(runner)
    for start in range(0, len(indices), batch):
        hook.after_val_iter(runner, start, None, [samples[index] for index in indices[start : start + batch]])
    hook.after_val_epoch(runner, {})
    return runner.visualizer.drawn


def test_hook_ranks_by_the_features_of_the_validation():
    samples = make_samples([f'{index}.png' for index in range(7)])
    hook = RankedListHook(interval=2, num_queries=2, topk=4)
    drawn = validate(hook, samples, range(7))
    assert [arguments[:2] for arguments, _ in drawn] == [
        ('ranked_list_00000', 'caption 1.0'), ('ranked_list_00005', 'caption 5.1'),
    ]  # fmt: skip
    for arguments, options in drawn:
        assert {int(path[0]) % 2 for path in arguments[2][:3]} == {1}
        assert options['matches'] == [True, True, True, False]
        assert options['person_ids'] == [1, 1, 1, 0]
        assert options['step'] == 4
        assert list(arguments[3]) == sorted(arguments[3], reverse=True)
    assert validate(hook, samples, range(7), epoch=5) == []
    assert validate(hook, samples, range(7)) == drawn


def _validate_in_process(rank, folder):
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    os.chdir(folder)
    samples = make_samples([f'{index}.png' for index in range(7)])
    indices = list(DefaultSampler(samples, shuffle=False))
    hook = RankedListHook(interval=2, num_queries=2, topk=4, collect_dir=f'{folder}/shared/parts')
    torch.save(validate(hook, samples, indices), f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def test_two_processes_draw_once_what_one_draws(tmp_path):
    mp.spawn(_validate_in_process, (str(tmp_path),), nprocs=2)
    samples = make_samples([f'{index}.png' for index in range(7)])
    alone = validate(RankedListHook(interval=2, num_queries=2, topk=4), samples, range(7))
    assert len(alone) == 2
    assert torch.load(tmp_path / '0.pth', weights_only=True) == alone
    assert torch.load(tmp_path / '1.pth', weights_only=True) == []
    assert not list((tmp_path / 'shared').iterdir())  # where the features were gathered


def test_settings_without_sense_are_refused():
    with pytest.raises(ValueError, match='interval must be at least 1'):
        RankedListHook(interval=0)
    with pytest.raises(TypeError, match='needs a TBPSVisualizer'):
        RankedListHook().before_run(SimpleNamespace(visualizer=object()))


def test_training_shows_queries_every_other_epoch(tmp_path):
    drawing = dict(num_train_ids=8, num_val_ids=3, num_test_ids=2, images_per_id=2)
    draw_toy_pedes(tmp_path / 'toypedes', **drawing)
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs/dual_stream/dual-stream_tiny_toypedes.py')
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(batch_size=8, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(tmp_path / 'toypedes'), drawing=drawing)
    cfg.train_dataloader.sampler.batch_size = 8
    cfg.merge_from_dict(dict(work_dir=str(tmp_path / 'work'), train_cfg=dict(max_epochs=2)))
    cfg.visualizer.vis_backends.append(dict(type='TensorboardVisBackend'))
    cfg.custom_hooks = [dict(type='RankedListHook', interval=2, num_queries=2, topk=3)]
    TBPSVisualizer._instance_dict.clear()
    train(cfg)
    images = stored_images(tmp_path / 'work')
    assert sorted(images) == ['ranked_list_00000', 'ranked_list_00011']
    assert [event.step for event in images['ranked_list_00000']] == [2]
