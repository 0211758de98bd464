# CLIP's byte-pair encoding, for its text tower.
_base_ = './toypedes.py'

train_dataloader = dict(dataset=dict(tokenizer=dict(_delete_=True, type='CLIPTokenizer')))
val_dataloader = dict(dataset=dict(tokenizer=dict(_delete_=True, type='CLIPTokenizer')))
test_dataloader = dict(dataset=dict(tokenizer=dict(_delete_=True, type='CLIPTokenizer')))
