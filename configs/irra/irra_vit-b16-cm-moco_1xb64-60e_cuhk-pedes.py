_base_ = ['./irra_vit-b16_1xb64-60e_cuhk-pedes.py', '../_base_/parts/cm-moco_vit-b16.py']

model = {{_base_.cm_moco}}
custom_hooks = {{_base_.cm_moco_hooks}}
