_base_ = './cuhk_pedes.py'

files = dict(type='RSTPReid', data_root='data/rstp_reid')
train_dataloader = dict(dataset=files)
val_dataloader = dict(dataset=files)
test_dataloader = dict(dataset=files)
