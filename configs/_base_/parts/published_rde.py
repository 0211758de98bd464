_base_ = './published_pixels.py'

# The batch norms of RDE's published runs stayed in evaluation mode. Images are resized with Pillow.
published = dict(
    image_stream=dict(neck=dict(norm_eval=True)),
    text_stream=dict(neck=dict(norm_eval=True)),
)
published_training = [
    dict(type='LoadPersonImage'),
    dict(type='ResizeFlipCrop', size=(384, 128), padding=10, backend='pillow'),
    dict(type='RandomErasingBox'),
    dict(type='TokenizeCaption'),
    dict(type='AugmentTokens'),
    dict(type='PackTBPSInputs'),
]
