# Two embeddings as one vector: the global feature (BGE), 512 numbers, and that of the selected tokens (TSE), 1024.
_base_ = './clip_vit-b16.py'

model = dict(
    image_stream=dict(neck=dict(type='TokenSelection')),
    text_stream=dict(neck=dict(type='TokenSelection', context_length=77)),
    heads=dict(
        _delete_=True,
        bge=dict(type='TALHead', part=(0, 512)),
        tse=dict(type='TALHead', part=(512, 1536)),
    ),
)

custom_hooks = [dict(type='ConsensusDivisionHook')]
