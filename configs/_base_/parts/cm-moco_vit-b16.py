# Momentum contrast on top of a recipe: momentum copies of both towers, and a queue of their keys.
cm_moco = dict(
    type='CMMoCoRetriever',
    momentum=0.999,
    queue=dict(size=2048, dim=512),
    heads=dict(contrastive=dict(type='ContrastiveHead', temperature=0.07)),
)
cm_moco_hooks = [
    dict(type='MomentumUpdateHook'),
    dict(type='QueueUpdateHook'),
    dict(type='QueueStatusHook'),
]
