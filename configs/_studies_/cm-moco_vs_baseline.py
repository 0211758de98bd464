# Does momentum contrast help the toy model, at equal epochs and at equal time?
title = 'CM-MoCo against the baseline on ToyPEDES'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

variants = dict(
    baseline=dict(label='baseline', config='../dual_stream/dual-stream_tiny_toypedes.py'),
    cm_moco=dict(label='CM-MoCo', config='../cm_moco/cm-moco_tiny_toypedes.py'),
    # A step with momentum keys costs 1.3 x, so that a third more epochs take the same time.
    baseline_longer=dict(
        label='baseline, time of CM-MoCo',
        config='../dual_stream/dual-stream_tiny_toypedes.py',
        changes=dict(train_cfg=dict(max_epochs=14)),
    ),
)
