# CLIP's RN50 in place of the image stream: last stride 1 (its default), attention pool, CLIP's mean and deviation.
clip_image = dict(
    data_preprocessor=dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
    image_stream=dict(
        _delete_=True,
        type='ImageStream',
        backbone=dict(
            type='CLIPResNet',
            layers=(3, 4, 6, 3),
            output_dim=1024,
            # A tag, which is downloaded once, or the path of OpenAI's RN50.pt.
            init_cfg=dict(type='CLIPPretrained', model='RN50', checkpoint='openai'),
        ),
    ),
    image_projection=dict(in_channels=1024),
)
