_base_ = './dual-stream_r50-bigru.py'

model = dict(
    type='CMMoCoRetriever',
    momentum=0.999,
    queue=dict(size=2048, dim=256),
    heads=dict(contrastive=dict(type='ContrastiveHead', temperature=0.07)),
)

custom_hooks = [
    dict(type='MomentumUpdateHook'),
    dict(type='QueueUpdateHook'),
    dict(type='QueueStatusHook'),
]
