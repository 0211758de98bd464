# How high shall the momentum be in a run of 868 steps? Steady keys hardly leave their start.
_base_ = './_base_/toypedes_500.py'

title = 'Momentum of CM-MoCo (ToyPEDES, 500 identities, 868 steps)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

# The contrast enters over the same steps as in the toy run; the epochs are shorter here.
_ramp = {'custom_hooks.3': dict(begin=28 / 11, end=4 * 28 / 11)}
variants = dict(
    none=dict(label='no momentum keys: baseline', config='../dual_stream/dual-stream_tiny_toypedes.py'),
    **{
        f'm{momentum}': dict(
            label=f'm = {momentum}',
            config='../cm_moco/cm-moco_tiny_toypedes.py',
            changes={'model.momentum': momentum, **_ramp},
        )
        for momentum in (0.0, 0.9, 0.95, 0.99, 0.999)
    },
)
