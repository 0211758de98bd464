_base_ = ['./rde_vit-b16_1xb64-60e_cuhk-pedes.py', '../_base_/parts/rstp-reid.py']

train_dataloader = dict(dataset={{_base_.files}})
val_dataloader = dict(dataset={{_base_.files}})
test_dataloader = dict(dataset={{_base_.files}})
# The public code fits the mixtures of this data set more thoroughly, as those with more than 40 % noise.
custom_hooks = [dict(type='ConsensusDivisionHook', max_iter=100, tol=1e-4, reg_covar=1e-6)]
