# The toy run: minutes on a CPU, from random weights. From scratch the published losses start slowly, so they weigh
# little here, and an in-batch contrastive head leads, which the paper's baseline does not have. The drawings are
# plain enough to do without random erasing.
_base_ = [
    '../_base_/models/dual-stream_tiny.py',
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
