_base_ = './cm-moco_clip-r101-clip-words-bigru_1xb128-80e_rstp-reid.py'

model = dict(queue=dict(size=1024))
