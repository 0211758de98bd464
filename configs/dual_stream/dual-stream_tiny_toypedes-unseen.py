# The toy run with test captions of unseen words, all of which are <unk> to this model.
_base_ = [
    '../_base_/models/dual-stream_tiny.py',
    '../_base_/datasets/toypedes_unseen.py',
    '../_base_/schedules/adam_toy.py',
    '../_base_/default_runtime.py',
]

model = dict(heads=dict(_delete_=True, itc=dict(type='ITCHead')))
