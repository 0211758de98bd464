# The toy run: minutes on a CPU, from random weights. From scratch the published losses start slowly, so an in-batch
# contrastive head, which the paper's baseline does not have, is added.
_base_ = [
    '../_base_/models/dual-stream_tiny.py',
    '../_base_/datasets/toypedes.py',
    '../_base_/schedules/adam_toy.py',
    '../_base_/default_runtime.py',
]

model = dict(heads=dict(itc=dict(type='ITCHead')))
