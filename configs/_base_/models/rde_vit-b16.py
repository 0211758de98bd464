# Two embeddings as one vector: the global feature, 512 numbers, and that of the selected tokens, 1024.
_base_ = './clip_vit-b16.py'

model = dict(
    image_stream=dict(neck=dict(type='TokenSelection')),
    text_stream=dict(neck=dict(type='TokenSelection', context_length=77)),
    heads=dict(
        _delete_=True,
        **{
            'global': dict(type='TALHead', part=(0, 512)),
            'selected': dict(type='TALHead', part=(512, 1536)),
        },
    ),
)

custom_hooks = [dict(type='ConsensusDivisionHook')]
