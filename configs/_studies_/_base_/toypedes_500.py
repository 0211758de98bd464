# A smaller toy run: few identities, a thin image stream, small batches, as many steps.
_data = dict(data_root='data/toypedes_500', drawing=dict(num_train_ids=500))

changes = {
    'train_dataloader': dict(dataset=_data, batch_size=64, sampler=dict(batch_size=64)),
    'val_dataloader.dataset': _data,
    'test_dataloader.dataset': _data,
    'model.image_stream.backbone.width': 8,
    'model.image_projection.in_channels': 6 * 256,
    'train_cfg.max_epochs': 28,
    'train_cfg.val_interval': 7,
}
