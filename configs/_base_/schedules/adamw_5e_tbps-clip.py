# By iteration: linear from 1e-6 to 1e-4 over the first epoch, then a cosine to 5e-6.
optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.02, fused=True),
    constructor='GroupedOptimWrapperConstructor',
    # Biases, norms and the class embedding do not decay.
    paramwise_cfg=dict(flat_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=5e-6, begin=1, end=5, by_epoch=True, convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=5, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# With half of this total batch size, the authors lose 1.4 points of R@1.
auto_scale_lr = dict(base_batch_size=320, enable=False)
