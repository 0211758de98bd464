# Pairs in random order, and CLIP's byte-pair encoding for its text tower.
_base_ = './toypedes.py'

bpe = dict(_delete_=True, type='CLIPTokenizer')
train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    dataset=dict(tokenizer=bpe),
)
val_dataloader = dict(dataset=dict(tokenizer=bpe))
test_dataloader = dict(dataset=dict(tokenizer=bpe))
