# Momentum and queue fit some hundred steps: with the paper's 0.999 the keys would hardly leave their start. And the
# contrast enters when the streams are warm: from random weights all embeddings are nearly alike, so that it would
# mostly see how the keys drift, and hold the other heads at chance.
_base_ = './dual-stream_tiny.py'

model = dict(
    type='CMMoCoRetriever',
    momentum=0.95,
    queue=dict(size=1024, dim=256),
    heads=dict(contrastive=dict(type='ContrastiveHead', temperature=0.07, loss_weight=0.5)),
)

custom_hooks = [
    dict(type='MomentumUpdateHook'),
    dict(type='QueueUpdateHook'),
    dict(type='QueueStatusHook'),
    dict(type='LossRampHook', head='contrastive', begin=1, end=4),
]
