# Does momentum contrast help, at equal epochs and, for the toy model, at equal time?
_base_ = './_base_/data_sets.py'

title = 'CM-MoCo against the baseline'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_equal_epochs = dict(
    baseline=dict(label='baseline', base='baseline'),
    cm_moco=dict(label='CM-MoCo', base='cm_moco'),
)
variants = dict(
    toypedes=dict(
        **_equal_epochs,
        # A step with momentum keys costs 1.3 x, so that a third more epochs take the same time.
        baseline_longer=dict(
            label='baseline, time of CM-MoCo', base='baseline', changes=dict(train_cfg=dict(max_epochs=8))
        ),
    ),
    cuhk_pedes=_equal_epochs,
)
