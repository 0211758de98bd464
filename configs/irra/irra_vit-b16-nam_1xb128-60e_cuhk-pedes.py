# From towers that were pre-trained on captioned persons: `mmtbps fetch nam` first.
_base_ = './irra_vit-b16_1xb64-60e_cuhk-pedes.py'

load_from = 'nam'
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
auto_scale_lr = dict(base_batch_size=128)
