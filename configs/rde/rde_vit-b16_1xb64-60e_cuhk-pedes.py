_base_ = [
    '../_base_/models/rde_vit-b16.py',
    '../_base_/datasets/rde_pairs.py',
    '../_base_/schedules/adam_60e_rde.py',
    '../_base_/default_runtime.py',
]
