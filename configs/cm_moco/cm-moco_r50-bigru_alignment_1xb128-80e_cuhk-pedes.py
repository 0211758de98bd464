_base_ = './cm-moco_r50-bigru_1xb128-80e_cuhk-pedes.py'

model = dict(
    heads=dict(
        _delete_=True,
        alignment=dict(type='AlignmentHead'),
        contrastive=dict(type='ContrastiveHead', temperature=0.07),
    )
)
