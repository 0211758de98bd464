_base_ = './adam_60e_clip.py'

# The selection layers have a rate of their own, whatever that of the towers is. The last pattern that fits decides.
optim_wrapper = dict(
    paramwise_cfg=dict(
        patterns=[
            dict(name='bias', lr_mult=2.0, decay_mult=0.0),
            dict(name=r'_stream\.neck', lr=1e-3),
            dict(name=r'_stream\.neck.*bias', lr=1e-3, decay_mult=0.0),
        ]
    )
)
