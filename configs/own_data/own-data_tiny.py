# A small model from random weights, for a CPU: minutes for some thousand crops.
_base_ = [
    '../_base_/models/dual-stream_tiny.py',
    '../_base_/datasets/own-data_tiny.py',
    '../_base_/schedules/adam_own-data.py',
    '../_base_/default_runtime.py',
]

model = dict(heads=dict(_delete_=True, itc=dict(type='ITCHead')))
