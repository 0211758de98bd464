# Momentum and queue fit some hundred steps: with the paper's 0.999 the keys would hardly leave their start.
_base_ = './dual-stream_tiny.py'

model = dict(
    type='CMMoCoRetriever',
    momentum=0.99,
    queue=dict(size=1024, dim=256),
    heads=dict(contrastive=dict(type='ContrastiveHead', temperature=0.07)),
)

custom_hooks = [
    dict(type='MomentumUpdateHook'),
    dict(type='QueueUpdateHook'),
    dict(type='QueueStatusHook'),
]
