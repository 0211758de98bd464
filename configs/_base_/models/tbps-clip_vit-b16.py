# The simplified recipe. The person is squashed to CLIP's square, with the mean and deviation of ImageNet.
_base_ = './clip_vit-b16.py'

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    image_stream=dict(backbone=dict(input_size=(224, 224), frozen=('conv1',))),
    text_stream=dict(backbone=dict(attn_drop=0.05)),
    # Starts where CLIP's weights end, at the cap.
    temperatures=dict(clip=dict(initial=0.01, learnable=True)),
    heads=dict(
        _delete_=True,
        # Heads add both directions, of which the published losses are the mean.
        nitc=dict(type='NITCHead', temperature='clip', loss_weight=0.5),
        ritc=dict(type='SDMHead', temperature='clip', epsilon=0.01, loss_weight=0.5),
    ),
)

custom_hooks = [dict(type='LossRampHook', head='nitc', setting='soft_share', end=1)]
