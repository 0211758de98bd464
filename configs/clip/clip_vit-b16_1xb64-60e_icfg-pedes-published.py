_base_ = ['./clip_vit-b16_1xb64-60e_icfg-pedes.py', '../_base_/parts/published_pixels.py']

train_dataloader = dict(dataset=dict(pipeline={{_base_.published_training}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
