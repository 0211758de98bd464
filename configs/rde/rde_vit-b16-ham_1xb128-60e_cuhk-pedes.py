# From towers that were pre-trained on captioned persons: `mmtbps fetch ham` first.
_base_ = './rde_vit-b16_1xb64-60e_cuhk-pedes.py'

load_from = 'ham'
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
auto_scale_lr = dict(base_batch_size=128)
# The selection layers start anew.
default_hooks = dict(fit_weights=dict(ignore=['*_stream.neck.*']))
