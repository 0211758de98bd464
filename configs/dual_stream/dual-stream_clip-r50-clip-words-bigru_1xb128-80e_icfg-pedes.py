_base_ = [
    '../_base_/models/dual-stream_clip-r50-bigru.py',
    '../_base_/datasets/icfg_pedes_clip-words.py',
    '../_base_/schedules/adam_80e.py',
    '../_base_/default_runtime.py',
]

model = dict(text_stream=dict(backbone=dict(type='WordTable', table={{_base_.word_table}})))
