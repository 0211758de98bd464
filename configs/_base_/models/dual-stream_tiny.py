# A small model for 96 x 32 pixels, trained from random weights on a CPU.
model = dict(
    type='DualStreamRetriever',
    data_preprocessor=dict(
        type='TBPSDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
        channels_last=True,
    ),
    image_stream=dict(
        type='ImageStream',
        # An attention pool from random weights hardly learns; means of parts do.
        backbone=dict(type='CLIPResNet', layers=(1, 1, 1, 1), width=16, input_size=(96, 32), pool=None),
        neck=dict(type='PartPooling', parts=6),
    ),
    text_stream=dict(
        type='TextStream',
        backbone=dict(type='WordEmbedding', vocab_size=None, embed_dims=128),
        neck=dict(type='BiGRUNeck', in_channels=128, hidden_size=128),
    ),
    image_projection=dict(type='LinearProjection', in_channels=6 * 512),
    text_projection=dict(type='LinearProjection', in_channels=256),
    heads=dict(
        identity=dict(type='IdentityHead', num_classes=None),
        alignment=dict(type='AlignmentHead'),
    ),
)
