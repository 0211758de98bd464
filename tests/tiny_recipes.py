"""A tiny retriever with CLIP's towers and the heads of all recipes, and its batches."""

import torch
from mmpretrain.structures import DataSample

from mmtbps.datasets import IGNORED

VOCAB, CONTEXT, CLASSES = 40, 10, 5
PARTS = dict(bge=(0, 8), tse=(8, 20))


def recipe_config(local_loss=False, **changes):
    """Towers of one block with token selection, D = 8 + 12, momentum keys and a queue of 10."""
    pairwise = dict(local_loss=local_loss)
    arch = dict(embed_dim=8, layers=1, width=16)
    selection = dict(type='TokenSelection', in_channels=8, out_channels=12, hidden_channels=6, norm_eval=True)
    config = dict(
        type='CMMoCoRetriever',
        data_preprocessor=dict(type='BaseDataPreprocessor'),
        image_stream=dict(
            type='ImageStream',
            backbone=dict(type='CLIPViT', arch=dict(arch, head_width=8, patch_size=8), input_size=(32, 16)),
            neck=selection,
        ),
        text_stream=dict(
            type='TextStream',
            backbone=dict(
                type='CLIPTextTransformer', arch=dict(arch, heads=2, vocab_size=VOCAB, context_length=CONTEXT)
            ),
            neck=dict(selection, context_length=CONTEXT),
        ),
        image_projection=None,
        text_projection=None,
        temperatures=dict(clip=dict(initial=0.02, learnable=True)),
        queue=dict(size=10, dim=20),
        momentum=0.9,
        heads=dict(
            contrastive=dict(type='ContrastiveHead'),
            pair=dict(type='ITCHead', positives='pair', **pairwise),
            sdm=dict(type='SDMHead', **pairwise),
            identity=dict(type='LinearClassifierHead', num_classes=CLASSES, in_channels=20),
            words=dict(type='MaskedWordHead', vocab_size=VOCAB, width=8, depth=1, heads=2),
            bge=dict(type='TALHead', part=PARTS['bge'], **pairwise),
            tse=dict(type='TALHead', part=PARTS['tse'], **pairwise),
            nitc=dict(type='NITCHead', views=('second',), temperature='clip', **pairwise),
            ritc=dict(type='SDMHead', temperature='clip', epsilon=0.01, **pairwise),
            citc=dict(type='CITCHead', loss_weight=0.1, **pairwise),
            self_supervision=dict(type='SelfSupervisionHead', in_channels=20, hidden_channels=4, **pairwise),
        ),
    )
    return {**config, **changes}


def recipe_batch(size, seed=0, start=0, dtype=torch.float64):
    """A batch with all views as the data preprocessor gives it; captions of 0 to 8 words, each identity about twice."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, size, 3, 32, 16, generator=generator, dtype=dtype)
    lengths = torch.randint(2, CONTEXT + 1, (size,), generator=generator)
    places = torch.arange(CONTEXT)
    tokens = torch.randint(1, VOCAB - 1, (size, CONTEXT), generator=generator)
    tokens[places == lengths[:, None] - 1] = VOCAB - 1
    tokens[places >= lengths[:, None]] = 0
    chosen = (torch.rand(size, CONTEXT, generator=generator) < 0.4) & (places > 0) & (places < lengths[:, None] - 1)
    masked = dict(tokens=tokens.masked_fill(chosen, 1), lengths=lengths, labels=tokens.masked_fill(~chosen, IGNORED))
    pictures = dict(zip(('second', 'strong_1', 'strong_2'), images[1:], strict=True))
    views = dict({name: dict(images=picture) for name, picture in pictures.items()}, masked=masked)
    ids = torch.randint(0, CLASSES, (size,), generator=generator).tolist()
    samples = []
    for index, person_id in enumerate(ids):
        samples.append(DataSample())
        samples[-1].set_field(person_id, 'person_id')
        samples[-1].set_field(start + index, 'sample_idx')
    inputs = dict(images=images[0], tokens=tokens, lengths=lengths, captions_per_image=[1] * size, views=views)
    return dict(inputs=inputs, data_samples=samples)


def part_of(batch, part):
    """Some items of a batch."""

    def cut(value):
        return {name: cut(one) for name, one in value.items()} if isinstance(value, dict) else value[part]

    return dict(inputs=cut(batch['inputs']), data_samples=batch['data_samples'][part])
