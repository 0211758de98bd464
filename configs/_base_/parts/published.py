# The switches that reproduce the published runs of CM-MoCo: negatives are dropped for the whole batch, empty slots of
# the queue are random negatives, sentence features depend on the padding, and linear layers are initialised anew.
published = dict(
    published_init=True,
    queue=dict(random_init=True),
    text_stream=dict(neck=dict(legacy_padding=True)),
    heads=dict(contrastive=dict(exclude='batch')),
)
published_baseline = dict(text_stream=dict(neck=dict(legacy_padding=True)))
# The public code resizes with Pillow, in training and in evaluation: weights that saw its pixels need them again.
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
