# The toy run with momentum contrast; dual-stream_tiny_toypedes.py says what else differs from the paper.
_base_ = [
    '../_base_/models/cm-moco_tiny.py',
    '../_base_/datasets/toypedes.py',
    '../_base_/schedules/adam_toy.py',
    '../_base_/default_runtime.py',
]

model = dict(
    heads=dict(
        _delete_=True,
        itc=dict(type='ITCHead'),
        contrastive=dict(type='ContrastiveHead', temperature=0.07, loss_weight=0.5),
    )
)
