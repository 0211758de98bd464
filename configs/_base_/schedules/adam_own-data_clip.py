# The number of epochs follows from the data; 50 steps of warm-up, then a cosine to 0.
_base_ = './adam_60e_clip.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True, eta_min=0.0),
]
train_cfg = dict(max_epochs=None)
