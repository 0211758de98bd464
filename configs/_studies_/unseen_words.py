# Do frozen words of a pretrained text encoder read test captions whose words training never showed? A thinner image
# stream and smaller batches than the toy run's, as many steps.
title = 'Test captions of unseen words'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

# build_word_table.py makes it, see docs/studies.md.
_table = 'data/toypedes_unseen_words.npz'
_dataset = dict(dataset=dict(tokenizer=dict(_delete_=True, type='WordTableTokenizer', table=_table)))
_loaders = dict(train_dataloader=_dataset, val_dataloader=_dataset, test_dataloader=_dataset)
_words = dict(type='WordTable', table=_table)
_small = {
    'model.image_stream.backbone.width': 8,
    'model.image_projection.in_channels': 6 * 256,
    'model.text_stream.backbone.embed_dims': 384,
    'model.text_stream.neck.in_channels': 384,
    'train_dataloader.batch_size': 64,
    'train_dataloader.sampler.batch_size': 64,
    'train_cfg.max_epochs': 19,
    'train_cfg.val_interval': 19,
}

bases = dict(
    toypedes_unseen=dict(
        baseline=dict(config='../dual_stream/dual-stream_tiny_toypedes-unseen.py', changes=_small),
    ),
)
variants = dict(
    toypedes_unseen=dict(
        random=dict(label='random words (unseen: <unk>)', base='baseline'),
        frozen=dict(
            label='frozen words',
            base='baseline',
            changes={**_loaders, 'model.text_stream.backbone': dict(_words, frozen=True)},
        ),
        trained=dict(
            label='words trained from there',
            base='baseline',
            # Decay alone would wear down the rows of words that no caption of training has.
            changes={
                **_loaders,
                'model.text_stream.backbone': dict(_words, frozen=False),
                'optim_wrapper.paramwise_cfg': dict(custom_keys={'text_stream.backbone.table': dict(decay_mult=0.0)}),
            },
        ),
    ),
)
