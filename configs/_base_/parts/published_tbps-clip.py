# The public code evaluates with another interpolation than it trains with.
published_images = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(224, 224), backend='pillow', interpolation='bicubic'),
    dict(type='TokenizeCaption'),
    dict(type='PackTBPSInputs'),
]
