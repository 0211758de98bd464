# How high shall the momentum be? In the toy run of 868 steps, steady keys hardly leave their start.
_base_ = './_base_/data_sets.py'

title = 'Momentum of CM-MoCo'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_variants = dict(
    none=dict(label='no momentum keys: baseline', base='baseline'),
    **{
        f'm{momentum}': dict(label=f'm = {momentum}', base='cm_moco', changes={'model.momentum': momentum})
        for momentum in (0.0, 0.9, 0.95, 0.99, 0.999)
    },
)
variants = dict(toypedes_500=_variants, cuhk_pedes=_variants)
