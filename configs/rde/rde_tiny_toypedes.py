# Small towers from random weights, minutes on a CPU.
_base_ = '../clip/clip_tiny_toypedes.py'

model = dict(
    image_stream=dict(neck=dict(type='TokenSelection', in_channels=128, out_channels=256)),
    text_stream=dict(neck=dict(type='TokenSelection', in_channels=128, out_channels=256, context_length=77)),
    heads=dict(
        _delete_=True,
        bge=dict(type='TALHead', part=(0, 128)),
        tse=dict(type='TALHead', part=(128, 384)),
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(96, 32), padding=4),
            dict(type='TokenizeCaption'),
            dict(type='AugmentTokens'),
            dict(type='PackTBPSInputs'),
        ]
    )
)

custom_hooks = [dict(type='ConsensusDivisionHook')]
