# Where studies start from: the baseline and CM-MoCo on each data set.
_dual_stream, _cm_moco = '../dual_stream/dual-stream_', '../cm_moco/cm-moco_'

# A smaller toy run: few identities, a thin image stream, small batches, as many steps.
_few = dict(data_root='data/toypedes_500', drawing=dict(num_train_ids=500))
_small = {
    'train_dataloader': dict(dataset=_few, batch_size=64, sampler=dict(batch_size=64)),
    'val_dataloader.dataset': _few,
    'test_dataloader.dataset': _few,
    'model.image_stream.backbone.width': 8,
    'model.image_projection.in_channels': 6 * 256,
    'train_cfg.max_epochs': 28,
    'train_cfg.val_interval': 7,
}
# The contrast enters over the same steps as in the toy run; the epochs are shorter here.
_ramp = {'custom_hooks.3': dict(begin=28 / 11, end=4 * 28 / 11)}

bases = dict(
    toypedes=dict(
        baseline=dict(config=f'{_dual_stream}tiny_toypedes.py'),
        cm_moco=dict(config=f'{_cm_moco}tiny_toypedes.py'),
    ),
    toypedes_500=dict(
        baseline=dict(config=f'{_dual_stream}tiny_toypedes.py', changes=_small),
        cm_moco=dict(config=f'{_cm_moco}tiny_toypedes.py', changes={**_small, **_ramp}),
    ),
    cuhk_pedes=dict(
        baseline=dict(config=f'{_dual_stream}r50-bigru_1xb128-80e_cuhk-pedes.py'),
        cm_moco=dict(config=f'{_cm_moco}r50-bigru_1xb128-80e_cuhk-pedes.py'),
    ),
)
