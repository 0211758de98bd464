# The whole text tower of CLIP's ViT-B/32, the one whose single words are the word table, in place of words and Bi-GRU.
clip_text = dict(
    text_stream=dict(
        _delete_=True,
        type='TextStream',
        backbone=dict(
            type='CLIPTextTransformer',
            arch='ViT-B-32',
            frozen_stages=12,
            # A tag, which is downloaded once, or the path of OpenAI's ViT-B-32.pt.
            init_cfg=dict(type='CLIPPretrained', checkpoint='openai'),
        ),
    ),
    text_projection=dict(in_channels=512),
)
