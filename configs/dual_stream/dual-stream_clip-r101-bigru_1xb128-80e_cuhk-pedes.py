_base_ = [
    '../_base_/models/dual-stream_clip-r101-bigru.py',
    '../_base_/datasets/cuhk_pedes.py',
    '../_base_/schedules/adam_80e.py',
    '../_base_/default_runtime.py',
]
