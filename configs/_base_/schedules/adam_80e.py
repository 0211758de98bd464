# Warm-up by epoch: 0.1, 0.28, 0.46, 0.64, 0.82, then 1; x 0.1 from epoch 40 and again from 70 (epochs from 0).
optim_wrapper = dict(
    type='OptimWrapper',
    # The weight decay is an L2 term of the gradient, not decoupled. One pass over the weights instead of a dozen.
    optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=4e-5, fused=True),
    # Every parameter with "bias" in its name: twice the rate, no decay. One group per distinct setting.
    constructor='GroupedOptimWrapperConstructor',
    paramwise_cfg=dict(custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=6, by_epoch=True),
    dict(type='MultiStepLR', milestones=[40, 70], gamma=0.1, by_epoch=True),
]

train_cfg = dict(by_epoch=True, max_epochs=80, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# The learning rate is meant for this total batch size; used with --auto-scale-lr.
auto_scale_lr = dict(base_batch_size=128, enable=False)
