"""Schedules under a loop of iterations."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop

from mmtbps.apis import build_runner
from mmtbps.engine.schedules import counts_iterations, fit_schedules

BY_ITERATION = dict(by_epoch=False, max_iters=12)
COSINE = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True, eta_min=0.1)


@pytest.mark.parametrize(
    ('loop', 'expected'),
    [
        (None, False), (dict(by_epoch=True, max_epochs=2), False), (dict(type='EpochBasedTrainLoop'), False),
        (BY_ITERATION, True), (dict(type='mmengine.IterBasedTrainLoop'), True), (dict(type=IterBasedTrainLoop), True),
    ],
)  # fmt: skip
def test_loops(loop, expected):
    assert counts_iterations(loop) is expected


def test_a_schedule_without_an_end_reaches_to_the_last_iteration(config):
    cfg = config()
    cfg.train_cfg = BY_ITERATION
    cfg.param_scheduler = [dict(COSINE)]
    runner = build_runner(cfg)
    assert runner.train_loop.max_iters == 12  # MMEngine gives an end once the loop is there
    optimizer = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
    (schedule,) = runner._build_param_scheduler(cfg.param_scheduler, optimizer)
    assert (schedule.end, schedule.by_epoch) == (12, False)
    rates = []
    for _ in range(12):
        rates.append(optimizer.get_lr()['lr'][0])
        schedule.step()
    assert rates == sorted(rates, reverse=True)
    assert rates[6] == pytest.approx(0.55, abs=0.05)


def test_what_would_never_act_is_refused_and_the_rest_stays():
    cfg = Config(dict(train_cfg=BY_ITERATION, param_scheduler=[dict(type='MultiStepLR', milestones=[4])]))
    with pytest.raises(ValueError, match=r'param_scheduler\.0 \(MultiStepLR\) counts epochs.*convert_to_iter_based'):
        fit_schedules(cfg)
    kept = [
        dict(type='LinearLR', by_epoch=False, end=3), dict(COSINE, end=5), dict(COSINE, T_max=5), dict(COSINE, begin=1),
    ]  # fmt: skip
    cfg = Config(dict(train_cfg=BY_ITERATION, param_scheduler=kept))
    fit_schedules(cfg)
    assert cfg.param_scheduler == kept
    for other in (dict(by_epoch=True, max_epochs=2), None):
        cfg = Config(dict(train_cfg=other, param_scheduler=dict(type='MultiStepLR', milestones=[4])))
        fit_schedules(cfg)
