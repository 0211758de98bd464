# Momentum against the number of steps: keys of a high momentum are steady, but in a short run they hardly leave their
# start. The contrast enters over the same share of each run.
_base_ = './_base_/toypedes_500.py'

title = 'Momentum against the number of steps (ToyPEDES, 500 identities)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

variants = {}
for _epochs in (28, 84):
    _length = {'train_cfg.max_epochs': _epochs}
    variants[f'none_{_epochs}'] = dict(
        label=f'{_epochs} epochs, baseline', config='../dual_stream/dual-stream_tiny_toypedes.py', changes=_length
    )
    _ramp = {'custom_hooks.3': dict(begin=_epochs / 11, end=4 * _epochs / 11)}
    for _momentum in (0.0, 0.9, 0.95, 0.99, 0.999) if _epochs == 28 else (0.95, 0.99, 0.999):
        variants[f'm{_momentum}_{_epochs}'] = dict(
            label=f'{_epochs} epochs, m = {_momentum}',
            config='../cm_moco/cm-moco_tiny_toypedes.py',
            changes={'model.momentum': _momentum, **_length, **_ramp},
        )
