# The paper's baseline: ImageNet ResNet-50 with last stride 1, and words learnt from scratch under a Bi-GRU.
model = dict(
    type='DualStreamRetriever',
    data_preprocessor=dict(
        type='TBPSDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        channels_last=True,
    ),
    image_stream=dict(
        type='ImageStream',
        backbone=dict(
            type='ResNet',
            depth=50,
            strides=(1, 2, 2, 1),
            out_indices=(3,),
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
        ),
        neck=dict(type='GlobalAveragePooling'),
    ),
    text_stream=dict(
        type='TextStream',
        backbone=dict(type='WordEmbedding', vocab_size=None, embed_dims=512),
        neck=dict(type='BiGRUNeck', in_channels=512, hidden_size=512),
    ),
    image_projection=dict(type='LinearProjection', in_channels=2048),
    text_projection=dict(type='LinearProjection', in_channels=1024),
    heads=dict(
        identity=dict(type='IdentityHead', num_classes=None),
        alignment=dict(type='AlignmentHead'),
    ),
)
