_base_ = ['./cm-moco_r50-bigru_1xb128-80e_cuhk-pedes.py', '../_base_/parts/published.py']

model = {{_base_.published}}
