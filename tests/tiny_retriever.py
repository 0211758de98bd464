"""Configs and batches of tiny retrievers."""

import torch
from mmpretrain.structures import DataSample

NUM_CLASSES = 9
VOCAB_SIZE = 50


def dual_stream_config(**changes):
    """Two streams of a few thousand weights, D = 16; identity and alignment heads."""
    config = dict(
        type='DualStreamRetriever',
        data_preprocessor=dict(type='BaseDataPreprocessor'),
        image_stream=dict(
            type='ImageStream',
            backbone=dict(type='CLIPResNet', layers=(1, 1, 1, 1), width=4, heads=2, output_dim=24, input_size=(32, 32)),
        ),
        text_stream=dict(
            type='TextStream',
            backbone=dict(type='WordEmbedding', vocab_size=VOCAB_SIZE, embed_dims=12),
            neck=dict(type='BiGRUNeck', in_channels=12, hidden_size=10),
        ),
        image_projection=dict(type='LinearProjection', in_channels=24, out_channels=16),
        text_projection=dict(type='LinearProjection', in_channels=20, out_channels=16),
        heads=dict(
            identity=dict(type='IdentityHead', num_classes=NUM_CLASSES, in_channels=16),
            alignment=dict(type='AlignmentHead'),
        ),
    )
    return {**config, **changes}


def cm_moco_config(size=20, **changes):
    """The same with momentum keys."""
    config = dual_stream_config(type='CMMoCoRetriever', queue=dict(size=size, dim=16))
    config['heads']['contrastive'] = dict(type='ContrastiveHead')
    return {**config, **changes}


CONTRASTIVE_NECK = dict(
    image=dict(type='MLPProjection', in_channels=24, out_channels=16),
    text=dict(type='MLPProjection', in_channels=20, out_channels=16),
)


def make_batch(size, seed=0, dtype=torch.float32):
    """A batch of pairs as the data preprocessor gives it; captions of 1 to 9 words, each identity about twice."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 10, (size,), generator=generator)
    tokens = torch.randint(2, VOCAB_SIZE, (size, 9), generator=generator)
    tokens[torch.arange(9)[None] >= lengths[:, None]] = 0
    inputs = dict(
        images=torch.randn(size, 3, 32, 32, generator=generator, dtype=dtype),
        tokens=tokens,
        lengths=lengths,
        captions_per_image=[1] * size,
    )
    ids = torch.randint(0, NUM_CLASSES, (size,), generator=generator).tolist()
    return dict(inputs=inputs, data_samples=make_samples(ids))


def make_samples(person_ids):
    samples = []
    for person_id in person_ids:
        samples.append(DataSample())
        samples[-1].set_field(person_id, 'person_id')
    return samples
