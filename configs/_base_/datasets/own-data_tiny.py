# Batches and epochs follow from the data.
_base_ = './toypedes.py'

train_dataloader = dict(
    batch_size=None,
    sampler=dict(batch_size=None),
    dataset=dict(
        _delete_=True,
        type='PersonCaptions',
        data_root='data/mine',
        ann_file='captions.csv',
        split='train',
        tokenizer=dict(type='WordTokenizer', max_length=100),
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    ),
)
evaluation = dict(
    _delete_=True,
    type='PersonCaptions',
    data_root='data/mine',
    ann_file='captions.csv',
    test_mode=True,
    tokenizer=dict(type='WordTokenizer', max_length=100),
    pipeline={{_base_.val_dataloader.dataset.pipeline}},
)
val_dataloader = dict(dataset=dict(evaluation, split='val'))
test_dataloader = dict(dataset=dict(evaluation, split='test'))
