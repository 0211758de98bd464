# Small towers from random weights, minutes on a CPU.
_base_ = [
    '../_base_/models/clip_tiny.py',
    '../_base_/datasets/toypedes_clip-bpe.py',
    '../_base_/schedules/adam_toy_clip.py',
    '../_base_/default_runtime.py',
]
