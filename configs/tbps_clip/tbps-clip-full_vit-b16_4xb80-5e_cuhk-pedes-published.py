_base_ = ['./tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes.py', '../_base_/parts/published_tbps-clip.py']

val_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
