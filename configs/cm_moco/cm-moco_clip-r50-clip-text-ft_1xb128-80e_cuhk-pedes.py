_base_ = './cm-moco_clip-r50-clip-text_1xb128-80e_cuhk-pedes.py'

model = dict(text_stream=dict(backbone=dict(frozen_stages=-1)))
