_base_ = ['./tbps-clip-simplified_vit-b16_4xb80-5e_cuhk-pedes.py', '../_base_/parts/icfg-pedes.py']

train_dataloader = dict(dataset={{_base_.files}})
val_dataloader = dict(dataset={{_base_.files}})
test_dataloader = dict(dataset={{_base_.files}})
