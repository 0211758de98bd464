# Small towers from random weights, minutes on a CPU.
_base_ = '../clip/clip_tiny_toypedes.py'

model = dict(
    heads=dict(
        _delete_=True,
        sdm=dict(type='SDMHead', temperature=0.02),
        identity=dict(type='LinearClassifierHead', num_classes=None, in_channels=128),
        words=dict(type='MaskedWordHead', vocab_size=None, width=128, depth=1),
    )
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(96, 32), padding=4),
            dict(type='TokenizeCaption'),
            dict(type='MaskTokens'),
            dict(type='PackTBPSInputs'),
        ]
    )
)
