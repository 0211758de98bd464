# Pairs in random order, as the recipes on CLIP's towers take them: no batches of P identities x K captions.
_base_ = './cuhk_pedes_clip-bpe.py'

train_dataloader = dict(
    batch_size=64, drop_last=False, sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True)
)
