_base_ = ['./tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes.py', '../_base_/parts/cm-moco_vit-b16.py']

model = {{_base_.cm_moco}}
custom_hooks = _base_.custom_hooks + _base_.cm_moco_hooks
