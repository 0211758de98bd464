_base_ = ['./rde_vit-b16_1xb64-60e_cuhk-pedes.py', '../_base_/parts/cm-moco_vit-b16.py']

# The queue holds keys of both features.
model = dict(_base_.cm_moco, queue=dict(size=2048, dim=1536))
custom_hooks = _base_.custom_hooks + _base_.cm_moco_hooks
