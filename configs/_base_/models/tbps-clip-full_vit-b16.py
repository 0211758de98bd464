# Beyond the simplified recipe: a second view of the images, likeness of both geometries, and self-supervision.
_base_ = './tbps-clip_vit-b16.py'

model = dict(
    heads=dict(
        nitc=dict(views=('second',)),
        citc=dict(type='CITCHead', loss_weight=0.1),
        self_supervision=dict(type='SelfSupervisionHead', loss_weight=0.4),
    )
)
