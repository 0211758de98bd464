"""Dictionaries without a type, numbers, and names of figures: refused before anything is built."""

import pytest
from mmengine.config import Config
from mmengine.dataset import RepeatDataset

from mmtbps.engine.config_checks import check_config
from mmtbps.engine.value_checks import check_values

LOADER = dict(batch_size=8, num_workers=0, drop_last=True, dataset=dict(type='ToyPEDES'))


def config(**changes):
    base = dict(
        train_dataloader=dict(LOADER), train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
        val_dataloader=dict(LOADER), val_cfg=dict(), val_evaluator=dict(type='TBPSMetric', topk=(1, 5)),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, save_best='t2i/R@1')),
        randomness=dict(seed=0),
    )  # fmt: skip
    cfg = Config(base)
    for path, value in changes.items():
        cfg.merge_from_dict({path.replace('__', '.'): value})
    return cfg


def test_a_good_config_has_no_faults():
    check_config(config())
    check_config(config(train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1e4)))
    check_config(config(optim_wrapper__clip_grad=dict(max_norm=1.0, norm_type=2)))
    check_config(config(train_dataloader__prefetch_factor=2, train_dataloader__num_batch_per_epoch=3))
    for best in ('auto', ['t2i/R@5', 'i2t/mAP'], None, 'SET/t2i/mINP'):
        check_config(config(default_hooks__checkpoint__save_best=best))
    check_config(config(val_dataloader=None, val_cfg=None, val_evaluator=None))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(train_dataloader__batchsize=8), r'train_dataloader\.batchsize is unknown, did you mean .*\.batch_size'),
        (dict(val_dataloader__num_worker=8), r'val_dataloader\.num_worker is unknown, .*num_workers'),
        (dict(train_cfg='by epochs'), r"train_cfg must be a dictionary or None, got 'by epochs'"),
        (
            dict(default_hooks__checkpoint__save_best=3),
            r'save_best=3 is no figure .*There are t2i/R@1',
        ),
        (dict(train_cfg__epochs=8), r'train_cfg\.epochs is unknown, did you mean train_cfg\.max_epochs'),
        (dict(train_cfg__max_iters=8), r'train_cfg\.max_iters means nothing to a loop of epochs.*_delete_=True'),
        (dict(val_cfg__fp=True), r'val_cfg\.fp is unknown, did you mean val_cfg\.fp16'),
        (dict(randomness__sed=1), r'randomness\.sed is unknown, did you mean randomness\.seed'),
        (dict(optim_wrapper__clip_grad=dict(maxnorm=1)), r'clip_grad\.maxnorm is unknown, .*max_norm'),
        (dict(optim_wrapper__clip_grad='1.0'), r'clip_grad must be a dictionary'),
        (dict(optim_wrapper__optimizer__lr='abc'), r"optimizer\.lr must be a number of at least 0, got 'abc'"),
        (dict(optim_wrapper__optimizer__type='Foo'), r"optimizer\.type='Foo' is unknown"),
        (dict(optim_wrapper__constructor='GroupedOptimWraperConstructor'), r'mean .GroupedOptimWrapperConstructor'),
        (dict(optim_wrapper__accumulative_counts=0), r'accumulative_counts must be a whole number of at least 1'),
        (dict(train_cfg__max_epochs=1.5), r'train_cfg\.max_epochs must be a whole number of at least 1, got 1\.5'),
        (dict(train_cfg__max_epochs='abc'), r"train_cfg\.max_epochs must be a whole number of at least 1, got 'abc'"),
        (dict(train_cfg__val_interval=0), r'train_cfg\.val_interval must be a whole number of at least 1, got 0'),
        (dict(val_dataloader__batch_size=0), r'val_dataloader\.batch_size must be'),
        (dict(randomness__seed='abc'), r'randomness\.seed must be a whole number'),
        (dict(randomness__seed=10**20), r'randomness\.seed must be .* at least 0 and at most 4294967295, got 10000'),
        (dict(log_level='INF'), r"log_level must be one of DEBUG.*got 'INF'"),
        (dict(val_evaluator=None), r'val_dataloader and val_cfg without val_evaluator'),
        (dict(runner_type='Runer'), r"runner_type='Runer' is unknown, did you mean 'Runner'"),
        (dict(default_hooks__checkpoint__save_best='t2i/R1'), r"save_best='t2i/R1' is no figure .*mean 't2i/R@1'"),
        (dict(default_hooks__checkpoint__save_best=['t2i/R@1', 'mAP']), r"save_best='mAP' is no figure"),
        (
            dict(custom_hooks=[dict(type='EarlyStoppingHook', monitor='t2i/R@10')]),
            r"custom_hooks\.0\.monitor='t2i/R@10' is no figure",
        ),
        (
            dict(param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='t2i/map', rule='greater')]),
            r"param_scheduler\.0\.monitor='t2i/map' is no figure .*mean 't2i/mAP'",
        ),
        (dict(param_scheduler=dict(type='ReduceOnPlateauLR')), r"param_scheduler\.0\.monitor='loss' is no figure"),
        (
            dict(train_dataloader__dataset=dict(_delete_=True, type='mmengine.ConcatDataset', datasets=[])),
            'the ConcatDataset of MMEngine, which knows nothing of identities',
        ),
        (
            dict(train_dataloader__dataset=dict(_delete_=True, type=RepeatDataset, dataset=None, times=2)),
            'the RepeatDataset of MMEngine',
        ),
    ],
)
def test_faults_are_named_with_place_and_remedy(change, message):
    with pytest.raises(ValueError, match=message):
        check_config(config(**change))


def test_metrics_of_ones_own_are_not_guessed():
    other = [dict(type='TBPSMetric'), dict(type='MyMetric')]
    check_config(config(val_evaluator=other, default_hooks__checkpoint__save_best='mine/score'))
    rerank = dict(type='TBPSMetric', rerank=dict(type='NeighborJaccard', name='shared'))
    check_config(config(val_evaluator=rerank, default_hooks__checkpoint__save_best='t2i+shared/mAP'))


def test_a_loop_of_iterations_has_keys_of_its_own():
    cfg = config(train_cfg=dict(_delete_=True, by_epoch=False, max_iters=4, max_epochs=2))
    (fault,) = check_values(cfg)
    assert 'train_cfg.max_epochs means nothing to a loop of iterations' in fault
