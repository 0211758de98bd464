# Small towers of CLIP's kind for 96 x 32 pixels, trained from random weights on a CPU.
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
            arch=dict(embed_dim=128, layers=3, width=128, head_width=32, patch_size=8),
            input_size=(96, 32),
        ),
    ),
    text_stream=dict(
        type='TextStream',
        backbone=dict(
            type='CLIPTextTransformer',
            arch=dict(embed_dim=128, layers=2, width=128, heads=4),
        ),
    ),
    image_projection=None,
    text_projection=None,
    heads=dict(
        itc=dict(type='ITCHead', positives='pair', temperature=0.02, learnable_temperature=False, loss_weight=0.5),
    ),
)
