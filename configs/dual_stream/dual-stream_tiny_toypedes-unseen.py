# The toy run whose test captions use words that training and validation never show ('crimson', 'trousers', 'rucksack');
# all of them are <unk> to this model.
_base_ = './dual-stream_tiny_toypedes.py'

unseen = dict(dataset=dict(data_root='data/toypedes_unseen', drawing=dict(num_train_ids=750, words='unseen')))
train_dataloader = unseen
val_dataloader = unseen
test_dataloader = unseen
