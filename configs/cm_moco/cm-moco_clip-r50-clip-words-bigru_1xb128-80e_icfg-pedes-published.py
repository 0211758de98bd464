_base_ = ['./cm-moco_clip-r50-clip-words-bigru_1xb128-80e_icfg-pedes.py', '../_base_/parts/published.py']

model = {{_base_.published}}
