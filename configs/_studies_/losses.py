# The paper's losses, alone and together, and the toy configs' in-batch contrast, each with and without CM-MoCo.
_base_ = './_base_/data_sets.py'

title = 'Losses with and without CM-MoCo'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_identity = dict(identity=dict(type='IdentityHead', num_classes=None))
_alignment = dict(alignment=dict(type='AlignmentHead'))
_losses = {
    'identity': _identity,
    'alignment': _alignment,
    'identity + alignment': {**_identity, **_alignment},
    'in-batch contrast': dict(itc=dict(type='ITCHead')),
}


def _variant(label: str, base: str, heads: dict) -> dict:
    return {label: dict(label=label, base=base, changes=dict(model=dict(heads=dict(_delete_=True, **heads))))}


def _variants(**contrast: float) -> dict:
    momentum = dict(contrastive=dict(type='ContrastiveHead', temperature=0.07, **contrast))
    variants = {}
    for name, heads in _losses.items():
        variants.update(_variant(name, 'baseline', heads))
    for name, heads in _losses.items():
        variants.update(_variant(f'{name} + CM-MoCo', 'cm_moco', {**heads, **momentum}))
    return variants


variants = dict(toypedes_500=_variants(loss_weight=0.5), cuhk_pedes=_variants())
