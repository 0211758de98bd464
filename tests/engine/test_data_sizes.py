import pytest
import torch
from mmengine.config import Config

from mmtbps.apis import resolve_data_sizes
from mmtbps.apis.options import apply_train_options

META = dict(vocabulary=['<pad>', '<unk>', 'red'], person_ids=[4, 7])


def make_config(vocab_size=None, num_classes=None):
    return Config(
        dict(
            default_scope='mmtbps',
            model=dict(
                text_stream=dict(backbone=dict(vocab_size=vocab_size)),
                heads=[dict(num_classes=num_classes), dict(num_classes=9)],
            ),
        )
    )


def test_sizes_of_a_checkpoint_fill_what_is_open_and_leave_the_rest():
    cfg = resolve_data_sizes(make_config(), META)
    assert cfg.model.text_stream.backbone.vocab_size == 3
    assert [head.num_classes for head in cfg.model.heads] == [2, 9]


def test_a_config_without_open_sizes_needs_no_data():
    cfg = make_config(vocab_size=3, num_classes=2)
    assert resolve_data_sizes(cfg) is cfg


def test_another_vocabulary_size_is_an_error():
    with pytest.raises(ValueError, match=r'model\.text_stream\.backbone\.vocab_size is 5, but the checkpoint has 3'):
        resolve_data_sizes(make_config(vocab_size=5), META)


def test_a_size_that_nothing_decides_is_an_error():
    with pytest.raises(ValueError, match=r'num_classes is None and cannot be taken from the checkpoint'):
        resolve_data_sizes(make_config(), dict(vocabulary=META['vocabulary']))


def test_without_training_set_and_checkpoint_there_is_an_error():
    with pytest.raises(ValueError, match='no train_dataloader'):
        resolve_data_sizes(make_config())


def test_the_first_run_of_a_job_that_always_resumes_starts_from_load_from(tmp_path):
    cfg = make_config()
    cfg.update(work_dir=str(tmp_path), load_from='start.pth', resume=False)
    with pytest.warns(UserWarning, match='holds no checkpoint to resume from'):
        apply_train_options(cfg, resume='auto')
    assert (cfg.resume, cfg.load_from) == (False, 'start.pth')
    torch.save(dict(state_dict={}, optimizer={}, meta=dict(iter=1)), tmp_path / 'epoch_1.pth')
    apply_train_options(cfg, resume='auto')
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'epoch_1.pth'))


def test_a_missing_checkpoint_to_resume_from_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth to resume from'):
        apply_train_options(make_config(), resume=str(tmp_path / 'gone.pth'))


def test_scaling_the_rate_needs_the_batch_size_it_is_meant_for():
    with pytest.raises(ValueError, match=r'auto_scale_lr\.base_batch_size'):
        apply_train_options(make_config(), auto_scale_lr=True)


def test_amp_on_the_cpu_is_autocast():
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1))))
    apply_train_options(cfg, amp=True)
    assert cfg.optim_wrapper.type in ('AutocastOptimWrapper', 'AmpOptimWrapper')
