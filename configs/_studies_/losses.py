# The paper's losses, alone and together, and the toy configs' in-batch contrast, each with and without CM-MoCo.
_base_ = './_base_/toypedes_500.py'

title = 'Losses with and without CM-MoCo (ToyPEDES, 500 identities)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_identity = dict(identity=dict(type='IdentityHead', num_classes=None))
_alignment = dict(alignment=dict(type='AlignmentHead'))
_momentum = dict(contrastive=dict(type='ContrastiveHead', temperature=0.07, loss_weight=0.5))
# The contrast enters over the same steps as in the toy run; the epochs are shorter here.
_ramp = {'custom_hooks.3': dict(begin=28 / 11, end=4 * 28 / 11)}
_losses = {
    'identity': _identity,
    'alignment': _alignment,
    'identity + alignment': {**_identity, **_alignment},
    'in-batch contrast': dict(itc=dict(type='ITCHead')),
}
variants = {
    name: dict(
        label=name,
        config='../dual_stream/dual-stream_tiny_toypedes.py',
        changes=dict(model=dict(heads=dict(_delete_=True, **heads))),
    )
    for name, heads in _losses.items()
}
variants.update(
    {
        f'{name} + CM-MoCo': dict(
            label=f'{name} + CM-MoCo',
            config='../cm_moco/cm-moco_tiny_toypedes.py',
            changes={'model': dict(heads=dict(_delete_=True, **heads, **_momentum)), **_ramp},
        )
        for name, heads in _losses.items()
    }
)
