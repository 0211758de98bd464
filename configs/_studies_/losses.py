# The paper's losses, alone and together, and the toy configs' in-batch contrast, each with and without CM-MoCo.
_base_ = './_base_/toypedes_500.py'

title = 'Losses with and without CM-MoCo (ToyPEDES, 500 identities)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_identity = dict(identity=dict(type='IdentityHead', num_classes=None))
_alignment = dict(alignment=dict(type='AlignmentHead'))
_momentum = dict(contrastive=dict(type='ContrastiveHead', temperature=0.07, loss_weight=0.5))
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
            changes=dict(model=dict(heads=dict(_delete_=True, **heads, **_momentum))),
        )
        for name, heads in _losses.items()
    }
)
