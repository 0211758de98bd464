# CLIP's ViT-B/16 with InfoNCE, for one GPU.
_base_ = [
    '../_base_/models/clip_vit-b16.py',
    '../_base_/datasets/pairs_clip-bpe.py',
    '../_base_/schedules/adam_own-data_clip.py',
    '../_base_/default_runtime.py',
    '../_base_/parts/own-data.py',
]

train_dataloader = dict(batch_size=None, num_workers=4, dataset={{_base_.files}})
val_dataloader = dict(num_workers=4, dataset={{_base_.files}})
test_dataloader = dict(num_workers=4, dataset={{_base_.files}})
