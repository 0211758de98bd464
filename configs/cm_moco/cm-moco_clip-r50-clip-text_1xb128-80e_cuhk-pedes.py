_base_ = [
    '../_base_/models/cm-moco_clip-r50-bigru.py',
    '../_base_/datasets/cuhk_pedes_clip-pieces.py',
    '../_base_/schedules/adam_80e.py',
    '../_base_/default_runtime.py',
    '../_base_/parts/clip-text.py',
]

model = {{_base_.clip_text}}
