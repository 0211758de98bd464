"""What training does around MMEngine's Runner, on a ToyPEDES of a few identities."""

import pytest
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

from mmtbps.apis import build_runner, train
from mmtbps.apis import test as run_test
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.evaluation.metrics import tbps_metric
from mmtbps.models import DualStreamRetriever
from mmtbps.registry import MODELS


@MODELS.register_module()
class NoWords(nn.Module):
    """Words without a table."""

    def forward(self, tokens, lengths):
        return tokens[..., None].expand(-1, -1, 128).float()


@pytest.fixture
def labels(monkeypatch):
    """Headings of the tables of figures, in their order; None for those of validations."""
    found = []
    write = tbps_metric.format_figures
    monkeypatch.setattr(tbps_metric, 'format_figures', lambda figures, name: found.append(name) or write(figures, name))
    return found


def test_a_first_run_with_resume_tests_its_best_epoch_and_not_its_last(config, labels, monkeypatch):
    """Job scripts always pass --resume; the test must not take it for a wish to resume the last epoch once more."""

    def resume(*args, **kwargs):
        raise AssertionError('There was nothing to resume from.')

    monkeypatch.setattr(Runner, 'resume', resume)
    assert train(config(resume='auto')).keys() >= {'t2i/R@1', 'i2t/mINP'}
    assert labels == [None, 'best epoch on val (1)']


def test_words_stand_beside_the_config_and_the_last_epoch_is_named_without_validation(config, labels, tmp_path):
    train(config())
    words = load_checkpoint_file(tmp_path / 'run/epoch_1.pth')['meta']['dataset_meta']['vocabulary']
    assert (tmp_path / 'run/vocabulary.txt').read_text().splitlines() == words
    # The checkpoint that this run resumes from still names a best epoch.
    train(config(epochs=2, resume='auto', validate=False))
    assert labels[-1] == 'last epoch (2): there was no validation'


def test_validation_that_keeps_no_best_epoch_is_told(config, labels):
    cfg = config()
    cfg.default_hooks.checkpoint.update(save_best=None)
    train(cfg)
    assert labels[-1] == 'last epoch (1): no best epoch was kept'
    assert 'tested_weights' not in MessageHub.get_current_instance().runtime_info  # nor would a later evaluation


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
