_base_ = './adam_toy.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
