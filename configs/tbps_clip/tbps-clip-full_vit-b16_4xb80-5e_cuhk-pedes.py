_base_ = [
    '../_base_/models/tbps-clip-full_vit-b16.py',
    '../_base_/datasets/tbps-clip-full_pairs.py',
    '../_base_/schedules/adamw_5e_tbps-clip.py',
    '../_base_/default_runtime.py',
]
