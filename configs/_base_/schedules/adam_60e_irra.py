_base_ = './adam_60e_clip.py'

# What CLIP does not bring learns faster. The last pattern that fits decides.
optim_wrapper = dict(
    paramwise_cfg=dict(
        patterns=[
            dict(name=r'words\.cross_', lr_mult=5.0),
            dict(name='bias', lr_mult=2.0, decay_mult=0.0),
            dict(name=r'identity\.classifier|words\.mlm_head', lr_mult=5.0),
            dict(name=r'(identity\.classifier|words\.mlm_head).*bias', lr_mult=5.0, decay_mult=0.0),
        ]
    )
)
