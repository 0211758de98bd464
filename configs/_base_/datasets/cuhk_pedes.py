train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    # 32 identities x 4 captions a batch.
    sampler=dict(type='IdentitySampler', batch_size=128, num_instances=4),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CUHKPEDES',
        data_root='data/cuhk_pedes',
        split='train',
        tokenizer=dict(type='WordTokenizer', max_length=100),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='ResizeFlipCrop', size=(384, 128), padding=10),
            dict(type='RandomErasingBox'),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CUHKPEDES',
        data_root='data/cuhk_pedes',
        split='val',
        test_mode=True,
        tokenizer=dict(type='WordTokenizer', max_length=100),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='Resize', scale=(128, 384)),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))

val_evaluator = dict(type='TBPSMetric')
test_evaluator = val_evaluator
