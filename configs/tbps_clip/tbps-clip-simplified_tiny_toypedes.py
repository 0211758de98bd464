# Small towers from random weights, minutes on a CPU.
_base_ = '../clip/clip_tiny_toypedes.py'

model = dict(
    text_stream=dict(backbone=dict(attn_drop=0.05)),
    temperatures=dict(clip=dict(initial=0.07, learnable=True)),
    heads=dict(
        _delete_=True,
        nitc=dict(type='NITCHead', temperature='clip', loss_weight=0.5),
        ritc=dict(type='SDMHead', temperature='clip', epsilon=0.01, loss_weight=0.5),
    ),
)
cleaned = dict(tokenizer=dict(cleaning='tbps-clip'))
train_dataloader = dict(
    dataset=dict(
        cleaned,
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(96, 32), padding=4),
            dict(type='DeleteWords'),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    )
)
val_dataloader = dict(dataset=cleaned)
test_dataloader = dict(dataset=cleaned)

custom_hooks = [dict(type='LossRampHook', head='nitc', setting='soft_share', end=1)]
