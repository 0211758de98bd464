data_root = 'data/toypedes'
# More identities help more than more images of each.
drawing = dict(num_train_ids=2500)

train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    # 64 identities x 2 captions a batch.
    sampler=dict(type='IdentitySampler', batch_size=128, num_instances=2),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ToyPEDES',
        data_root=data_root,
        drawing=drawing,
        split='train',
        tokenizer=dict(type='WordTokenizer', max_length=100),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(96, 32), padding=4),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ToyPEDES',
        data_root=data_root,
        drawing=drawing,
        split='val',
        test_mode=True,
        tokenizer=dict(type='WordTokenizer', max_length=100),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='Resize', scale=(32, 96)),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))

val_evaluator = dict(type='TBPSMetric')
test_evaluator = val_evaluator
