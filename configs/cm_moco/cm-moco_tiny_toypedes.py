# The toy run with momentum contrast; see ../dual_stream/dual-stream_tiny_toypedes.py for what else differs from the paper.
_base_ = [
    '../_base_/models/cm-moco_tiny.py',
    '../_base_/datasets/toypedes.py',
    '../_base_/schedules/adam_toy.py',
    '../_base_/default_runtime.py',
]

model = dict(
    heads=dict(
        itc=dict(type='ITCHead'),
        identity=dict(loss_weight=0.1),
        alignment=dict(loss_weight=0.1),
    )
)
