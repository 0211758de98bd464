# There is no published val split: the data set class carves one out of train.
_base_ = './cuhk_pedes.py'

files = dict(type='ICFGPEDES', data_root='data/icfg_pedes')
train_dataloader = dict(dataset=files)
val_dataloader = dict(dataset=files)
test_dataloader = dict(dataset=files)
