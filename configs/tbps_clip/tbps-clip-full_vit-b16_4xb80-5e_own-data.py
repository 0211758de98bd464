_base_ = ['./tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes.py', '../_base_/parts/own-data.py']

train_dataloader = dict(dataset={{_base_.files}})
val_dataloader = dict(dataset={{_base_.files}})
test_dataloader = dict(dataset={{_base_.files}})
