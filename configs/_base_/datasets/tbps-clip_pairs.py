_base_ = './pairs_clip-bpe.py'

# Two of these are drawn for each image, with replacement.
weak = [
    dict(type='ColorJitter', brightness=0.1, contrast=0.1, saturation=0.1),
    dict(type='Rotate', magnitude_range=(0, 15), magnitude_std='inf', prob=1.0, pad_val=0),
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.9, 1.0)),
    dict(type='RandomGrayscale', prob=0.1, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomErasing', erase_prob=0.5, min_area_ratio=0.1, max_area_ratio=0.2, fill_color=(0, 0, 0)),
]
one_of_weak = dict(type='RandomChoice', transforms=[[transform] for transform in weak])

train_dataloader = dict(
    # Of four processes.
    batch_size=80,
    drop_last=True,
    dataset=dict(
        tokenizer=dict(cleaning='tbps-clip'),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='Resize', scale=(224, 224), backend='pillow'),
            one_of_weak,
            one_of_weak,
            dict(type='BackTranslate'),
            dict(type='DeleteWords'),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    ),
)
evaluation = dict(
    tokenizer=dict(cleaning='tbps-clip'),
    pipeline=[
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(224, 224), backend='pillow'),
        dict(type='TokenizeCaption'),
        dict(type='PackTBPSInputs'),
    ],
)
val_dataloader = dict(dataset=evaluation)
test_dataloader = dict(dataset=evaluation)
