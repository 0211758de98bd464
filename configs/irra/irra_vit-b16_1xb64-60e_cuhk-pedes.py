_base_ = [
    '../_base_/models/irra_vit-b16.py',
    '../_base_/datasets/irra_pairs.py',
    '../_base_/schedules/adam_60e_irra.py',
    '../_base_/default_runtime.py',
]
