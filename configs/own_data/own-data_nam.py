# From NAM's towers, which have seen millions of described pedestrians, at the rate that HAM's authors fine-tune with.
_base_ = './own-data_clip-vit-b16.py'

load_from = 'nam'
model = dict(
    image_stream=dict(backbone=dict(init_cfg=None, quick_gelu=True)),
    text_stream=dict(backbone=dict(init_cfg=None, quick_gelu=True)),
)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
