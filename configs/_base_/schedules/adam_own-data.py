# The number of epochs follows from the data.
_base_ = './adam_toy.py'

train_cfg = dict(max_epochs=None)
