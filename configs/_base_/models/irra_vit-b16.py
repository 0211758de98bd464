_base_ = './clip_vit-b16.py'

model = dict(
    heads=dict(
        _delete_=True,
        sdm=dict(type='SDMHead', temperature=0.02),
        identity=dict(type='LinearClassifierHead', num_classes=None),
        words=dict(type='MaskedWordHead', vocab_size=None),
    )
)
