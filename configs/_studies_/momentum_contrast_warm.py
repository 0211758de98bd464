# Does momentum contrast help streams that are warm? Stage one trains them with in-batch contrast on identities of its
# own; the paper's losses then train on 500 others, with and without CM-MoCo.
title = 'CM-MoCo from warm streams'
seeds = [0, 1, 2, 3, 4, 5, 6, 7]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_warm = dict(data_root='data/toypedes_warm', drawing=dict(num_train_ids=500, seed=1))
_few = dict(data_root='data/toypedes_500', drawing=dict(num_train_ids=500))


def _small(data: dict, epochs: int, batch: int = 32) -> dict:
    """A thin image stream and small batches; an epoch of 500 identities has 2,000 captions, 62 steps of 32."""
    return {
        'train_dataloader': dict(dataset=data, batch_size=batch, sampler=dict(batch_size=batch)),
        'val_dataloader.dataset': data,
        'test_dataloader.dataset': data,
        'model.image_stream.backbone.width': 8,
        'model.image_projection.in_channels': 6 * 256,
        'optim_wrapper.optimizer.lr': 2e-3,
        'train_cfg': dict(max_epochs=epochs, val_interval=epochs),
        'default_hooks.checkpoint.save_best': None,
    }


_identity = dict(identity=dict(type='IdentityHead', num_classes=None))
_alignment = dict(alignment=dict(type='AlignmentHead'))
_sets = {'identity': _identity, 'alignment': _alignment, 'both': {**_identity, **_alignment}}


def _pair(name: str, heads: dict, changes: dict, weight: float = 1.0, **queue: float) -> dict:
    """A loss set without and with CM-MoCo, from the same warm streams."""
    contrastive = dict(type='ContrastiveHead', temperature=0.07, loss_weight=weight)
    with_keys = {
        'model.queue.size': queue.get('size', 1024),
        'model.momentum': queue.get('momentum', 0.99),
        'model.heads': dict(_delete_=True, **heads, contrastive=contrastive),
    }
    hooks = [dict(type='MomentumUpdateHook'), dict(type='QueueUpdateHook'), dict(type='QueueStatusHook')]
    return {
        name: dict(base='baseline', start='warm', changes={**changes, 'model.heads': dict(_delete_=True, **heads)}),
        f'{name} + CM-MoCo': dict(
            base='cm_moco', start='warm', against=name, changes={**changes, **with_keys, 'custom_hooks': hooks}
        ),
    }


bases = dict(
    toypedes_500=dict(
        baseline=dict(config='../dual_stream/dual-stream_tiny_toypedes.py'),
        cm_moco=dict(config='../cm_moco/cm-moco_tiny_toypedes.py'),
    )
)
stages = dict(toypedes_500=dict(warm=dict(base='baseline', changes=_small(_warm, 4))))
_six_epochs = _small(_few, 6)
_pairs = {key: variant for name in _sets for key, variant in _pair(name, _sets[name], _six_epochs).items()}

# One setting at a time, against the same runs without CM-MoCo; batches and steps change those as well.
_settings = {
    'weight 5': dict(weight=5.0),
    'K = 64': dict(size=64),
    'K = 4,096': dict(size=4096),
    'm = 0.999': dict(momentum=0.999),
}
_grid = {
    f'{name} + CM-MoCo, {setting}': _pair(name, _sets[name], _six_epochs, **values)[f'{name} + CM-MoCo']
    for name in ('identity', 'both')
    for setting, values in _settings.items()
}
# A step with CM-MoCo costs 1.3 x here, so that eight epochs without it take the time of six.
_grid['both, time of CM-MoCo'] = dict(_pairs['both'], changes={**_pairs['both']['changes'], **_small(_few, 8)})
for _name, _changes in {
    'batch 16': _small(_few, 3, batch=16),
    'batch 64': _small(_few, 13, batch=64),
    '1,200 steps': _small(_few, 19),
}.items():
    _grid |= _pair(f'both, {_name}', _sets['both'], _changes)

variants = dict(toypedes_500={**_pairs, **_grid})
