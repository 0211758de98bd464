_base_ = ['./dual-stream_r50-bigru_1xb128-80e_rstp-reid.py', '../_base_/parts/published.py']

model = {{_base_.published_baseline}}
train_dataloader = dict(dataset=dict(pipeline={{_base_.published_training}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.published_images}}))
