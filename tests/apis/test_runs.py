"""What training does around MMEngine's Runner, on a ToyPEDES of a few identities."""

import itertools
from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

import mmtbps
from mmtbps.apis import build_runner, train
from mmtbps.apis import test as run_test
from mmtbps.apis.options import apply_train_options
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.models import DualStreamRetriever
from mmtbps.registry import MODELS

CONFIG = Path(mmtbps.__file__).parents[1] / 'configs/dual_stream/dual-stream_tiny_toypedes.py'
DRAWING = dict(num_train_ids=8, num_val_ids=3, num_test_ids=3)
number = itertools.count()


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return draw_toy_pedes(tmp_path_factory.mktemp('data') / 'toypedes', **DRAWING)


@MODELS.register_module()
class NoWords(nn.Module):
    """Words without a table."""

    def forward(self, tokens, lengths):
        return tokens[..., None].expand(-1, -1, 128).float()


@pytest.fixture(scope='module')
def make_config(data_root):
    """Make the config of a short run; runs of one process need names of their own."""

    def make(folder, epochs=1, **options):
        cfg = Config.fromfile(CONFIG)
        for name in ('train', 'val', 'test'):
            loader = cfg[f'{name}_dataloader']
            loader.update(num_workers=0, persistent_workers=False)
            loader.dataset.update(data_root=str(data_root), drawing=DRAWING)
        cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.batch_size = 8
        cfg.train_cfg.max_epochs = epochs
        cfg.work_dir = str(folder / 'run')
        cfg.experiment_name = f'test_runs_{next(number)}'
        return apply_train_options(cfg, **options)

    return make


@pytest.fixture
def config(make_config, tmp_path):
    return partial(make_config, tmp_path)


def label_of_the_table():
    return MessageHub.get_current_instance().get_info('tested_weights')


def test_a_first_run_with_resume_tests_its_best_epoch_and_not_its_last(config, tmp_path, monkeypatch):
    """Job scripts always pass --resume; the test must not take it for a wish to resume the last epoch once more."""

    def resume(*args, **kwargs):
        raise AssertionError('There was nothing to resume from.')

    monkeypatch.setattr(Runner, 'resume', resume)
    assert train(config(resume='auto')).keys() >= {'t2i/R@1', 'i2t/mINP'}
    assert label_of_the_table() == 'best epoch on val (1)'


def test_words_stand_beside_the_config_and_the_last_epoch_is_named_without_validation(config, tmp_path):
    train(config())
    words = load_checkpoint_file(tmp_path / 'run/epoch_1.pth')['meta']['dataset_meta']['vocabulary']
    assert (tmp_path / 'run/vocabulary.txt').read_text().splitlines() == words
    # The checkpoint that this run resumes from still names a best epoch.
    train(config(epochs=2, resume='auto', validate=False))
    assert label_of_the_table() == 'last epoch (2): there was no validation'


def test_validation_that_keeps_no_best_epoch_is_told(config):
    cfg = config()
    cfg.default_hooks.checkpoint.update(save_best=None)
    train(cfg)
    assert label_of_the_table() == 'last epoch (1): no best epoch was kept'


def test_a_fault_of_the_test_set_shows_before_the_training(config, tmp_path):
    cfg = config()
    cfg.test_dataloader.dataset.data_prefix = dict(img_path='photos')
    with pytest.raises(FileNotFoundError, match=r'images are not in .*photos'):
        train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_none_removes_a_hook(config):
    cfg = config()
    assert any(type(hook).__name__ == 'ScoreResumedEpochHook' for hook in build_runner(config()).hooks)
    cfg.default_hooks.update(score_resumed_epoch=None, logger=None)
    names = {type(hook).__name__ for hook in build_runner(cfg).hooks}
    assert not names & {'ScoreResumedEpochHook', 'LoggerHook'}
    assert names >= {'DatasetMetaHook', 'CheckpointHook'}


@pytest.fixture(scope='module')
def checkpoint(make_config, tmp_path_factory):
    cfg = make_config(tmp_path_factory.mktemp('trained'))
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    assert train(cfg) == {}
    return str(Path(cfg.work_dir) / 'epoch_1.pth')


def test_weights_of_other_heads_are_tested(config, checkpoint):
    cfg = config()
    cfg.model.heads = dict(identity=dict(type='IdentityHead', num_classes=None))
    assert run_test(cfg, checkpoint)['t2i/R@10'] > 0


@pytest.mark.parametrize(
    ('stream', 'change', 'message'),
    [
        ('text_stream', dict(neck=dict(hidden_size=64)), r'does not fit.*size mismatch for text_stream'),
        (
            'image_stream',
            dict(backbone=dict(layers=(1, 1, 1, 2))),
            r'lacks image_stream\.backbone\.layer4\.1\..*, \.\.\. \(\d+ in all\)',
        ),
        (
            'text_stream',
            dict(backbone=dict(_delete_=True, type='NoWords')),
            r'has text_stream\.backbone\.table\.weight too many',
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(config, checkpoint, stream, change, message):
    cfg = config()
    cfg.merge_from_dict(dict(model={stream: change}))
    with pytest.raises(ValueError, match=message):
        run_test(cfg, checkpoint)


@pytest.mark.parametrize(
    ('setting', 'expected'), [(True, [{}]), ({'dynamic': True}, [{'dynamic': True}]), (False, []), (None, [])]
)
def test_the_model_is_asked_to_compile_itself(config, monkeypatch, setting, expected):
    asked = []
    monkeypatch.setattr(DualStreamRetriever, 'compile', lambda model, **settings: asked.append(settings))
    monkeypatch.setattr(Runner, 'train', lambda runner: asked.append(runner.cfg.get('compile')))
    cfg = config(validate=False)
    cfg.compile, cfg.test_cfg, cfg.test_dataloader, cfg.test_evaluator = setting, None, None, None
    train(cfg)
    assert asked == [*expected, None]  # nothing is left for MMEngine to compile
