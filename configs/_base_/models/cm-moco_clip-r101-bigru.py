_base_ = ['./cm-moco_r50-bigru.py', '../parts/clip-r101.py']

model = {{_base_.clip_image}}
