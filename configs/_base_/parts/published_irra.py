_base_ = './published_pixels.py'

# The public code of IRRA masks the caption itself, so that all losses see masked captions, and masked words attend to
# the padding. Images are resized with Pillow.
published = dict(
    text_stream=dict(backbone=dict(legacy_padding=True)),
    heads=dict(words=dict(caption_is_masked=True, legacy_padding=True)),
)
published_training = [
    dict(type='LoadPersonImage'),
    dict(type='ResizeFlipCrop', size=(384, 128), padding=10, backend='pillow'),
    dict(type='RandomErasingBox'),
    dict(type='TokenizeCaption'),
    dict(type='MaskTokens', in_place=True),
    dict(type='PackTBPSInputs'),
]
