_base_ = './tbps-clip_pairs.py'

strong = [
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.2, 1.0)),
    dict(
        type='RandomApply',
        transforms=[
            dict(type='NumpyToPIL', to_rgb=True),
            dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
            dict(type='PILToNumpy', to_bgr=True),
        ],
        prob=0.8,
    ),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),
    dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
    dict(type='RandomFlip', prob=0.5),
]
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='AddImageView', name='strong_1', transforms=strong),
            dict(type='AddImageView', name='strong_2', transforms=strong),
            dict(type='Resize', scale=(224, 224), backend='pillow'),
            dict(type='AddImageView', name='second', transforms=[{{_base_.one_of_weak}}, {{_base_.one_of_weak}}]),
            {{_base_.one_of_weak}},
            {{_base_.one_of_weak}},
            dict(type='BackTranslate'),
            dict(type='DeleteWords'),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ]
    )
)
