# The toy run: minutes on a CPU, from random weights. The published losses stand still for hundreds of steps there (the
# alignment loss keeps all similarities near 0.28), so that an in-batch contrastive head takes their place, and the
# drawings are plain enough to do without random erasing.
_base_ = [
    '../_base_/models/dual-stream_tiny.py',
    '../_base_/datasets/toypedes.py',
    '../_base_/schedules/adam_toy.py',
    '../_base_/default_runtime.py',
]

model = dict(heads=dict(_delete_=True, itc=dict(type='ITCHead')))
