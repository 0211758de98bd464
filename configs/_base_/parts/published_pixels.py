# The public codes resize with Pillow, in training and in evaluation: weights that saw its pixels need them again.
published_training = [
    dict(type='LoadPersonImage'),
    dict(type='ResizeFlipCrop', size=(384, 128), padding=10, backend='pillow'),
    dict(type='RandomErasingBox'),
    dict(type='TokenizeCaption'),
    dict(type='PackTBPSInputs'),
]
published_images = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 384), backend='pillow'),
    dict(type='TokenizeCaption'),
    dict(type='PackTBPSInputs'),
]
