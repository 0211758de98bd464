_base_ = ['./irra_vit-b16_1xb64-60e_rstp-reid.py', '../_base_/parts/published_irra.py']

model = {{_base_.published}}
train_dataloader = dict(dataset=dict(pipeline={{_base_.published_training}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
