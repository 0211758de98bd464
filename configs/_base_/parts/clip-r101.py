_base_ = './clip-r50.py'

clip_image = dict(
    image_stream=dict(backbone=dict(layers=(3, 4, 23, 3), output_dim=512, init_cfg=dict(model='RN101'))),
    image_projection=dict(in_channels=512),
)
