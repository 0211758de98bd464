_base_ = ['./rde_vit-b16_1xb64-60e_cuhk-pedes.py', '../_base_/parts/rstp-reid.py']

train_dataloader = dict(dataset={{_base_.files}})
val_dataloader = dict(dataset={{_base_.files}})
test_dataloader = dict(dataset={{_base_.files}})
