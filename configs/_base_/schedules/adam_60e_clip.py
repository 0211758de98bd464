# Warm-up by epoch: 0.1, 0.28, 0.46, 0.64, 0.82, then a cosine from 1 to 0 at epoch 60 (epochs from 0).
optim_wrapper = dict(
    # bf16 autocast over fp32 weights; the authors train fp16 weights without a copy.
    type='AutocastOptimWrapper',
    # The large eps is the authors'. The weight decay is an L2 term of the gradient.
    optimizer=dict(type='Adam', lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5, fused=True),
    constructor='GroupedOptimWrapperConstructor',
    paramwise_cfg=dict(patterns=[dict(name='bias', lr_mult=2.0, decay_mult=0.0)]),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=6, by_epoch=True),
    dict(type='CosineAnnealingLR', begin=5, end=60, T_max=55, eta_min=0.0, by_epoch=True),
]

train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# In-batch contrast depends on the total batch size as well as the learning rate does.
auto_scale_lr = dict(base_batch_size=64, enable=False)
