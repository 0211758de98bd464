_base_ = './dual-stream_r50-clip-words-bigru_1xb128-80e_cuhk-pedes.py'

model = dict(text_stream=dict(backbone=dict(frozen=False)))
