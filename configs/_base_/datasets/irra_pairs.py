_base_ = './pairs_clip-bpe.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(384, 128), padding=10),
            dict(type='RandomErasingBox'),
            dict(type='TokenizeCaption'),
            dict(type='MaskTokens'),
            dict(type='PackTBPSInputs'),
        ]
    )
)
