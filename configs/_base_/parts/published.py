_base_ = './published_pixels.py'

# The switches that reproduce the published runs of CM-MoCo: negatives are dropped for the whole batch, empty slots of
# the queue are random negatives, sentence features depend on the padding, and linear layers are initialised anew.
published = dict(
    published_init=True,
    queue=dict(random_init=True),
    text_stream=dict(neck=dict(legacy_padding=True)),
    heads=dict(contrastive=dict(exclude='batch')),
)
published_baseline = dict(text_stream=dict(neck=dict(legacy_padding=True)))
