# CLIP's ViT-B/16 and its text tower, trained as a whole; their features are the embeddings. InfoNCE of matched pairs.
model = dict(
    type='DualStreamRetriever',
    data_preprocessor=dict(
        type='TBPSDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
    ),
    image_stream=dict(
        type='ImageStream',
        backbone=dict(
            type='CLIPViT',
            arch='ViT-B-16',
            input_size=(384, 128),
            # A tag, which is downloaded once, or the path of OpenAI's ViT-B-16.pt.
            init_cfg=dict(type='CLIPPretrained', checkpoint='openai'),
        ),
    ),
    text_stream=dict(
        type='TextStream',
        backbone=dict(
            type='CLIPTextTransformer',
            arch='ViT-B-16',
            init_cfg=dict(type='CLIPPretrained', checkpoint='openai'),
        ),
    ),
    image_projection=None,
    text_projection=None,
    heads=dict(
        # Heads add both directions, of which the published loss is the mean.
        itc=dict(type='ITCHead', positives='pair', temperature=0.02, learnable_temperature=False, loss_weight=0.5),
    ),
)
