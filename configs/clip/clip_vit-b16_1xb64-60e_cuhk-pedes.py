_base_ = [
    '../_base_/models/clip_vit-b16.py',
    '../_base_/datasets/pairs_clip-bpe.py',
    '../_base_/schedules/adam_60e_clip.py',
    '../_base_/default_runtime.py',
]
