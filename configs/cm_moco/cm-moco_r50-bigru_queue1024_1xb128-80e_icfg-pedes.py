_base_ = './cm-moco_r50-bigru_1xb128-80e_icfg-pedes.py'

model = dict(queue=dict(size=1024))
