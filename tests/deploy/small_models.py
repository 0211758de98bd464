"""Small trained-looking retrievers of every kind of stream, as files and as encoders."""

import copy

import torch
from mmengine.config import Config
from tiny_clip import IMAGE_ARCH, TEXT_ARCH
from tiny_retriever import dual_stream_config

from mmtbps.datasets import WordTokenizer
from mmtbps.registry import MODELS
from mmtbps.search import ModelEncoder
from mmtbps.toy import draw_samples

PREPROCESSOR = dict(type='TBPSDataPreprocessor', mean=[120.0, 115.0, 105.0], std=[70.0, 65.0, 60.0])
GRU = dict(
    type='TextStream',
    backbone=dict(type='WordEmbedding', vocab_size=None, embed_dims=12),
    neck=dict(type='BiGRUNeck', in_channels=12, hidden_size=10),
)
CLIP_TEXT = dict(type='TextStream', backbone=dict(type='CLIPTextTransformer', arch=TEXT_ARCH))
CLIP_RESNET = dual_stream_config()['image_stream']
CLIP_VIT = dict(type='ImageStream', backbone=dict(type='CLIPViT', arch=IMAGE_ARCH, input_size=(32, 32)))
RESNET = dict(
    type='ImageStream',
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=2),
    neck=dict(type='GlobalAveragePooling'),
)
KINDS = {
    'clip resnet, gru': (CLIP_RESNET, 24, GRU, 20),
    'clip vit, clip text': (CLIP_VIT, 16, CLIP_TEXT, 16),
    'mmpretrain resnet, legacy gru': (RESNET, 16, dict(GRU, neck=dict(GRU['neck'], legacy_padding=True)), 20),
}


def vocabulary():
    """Words of the drawn sentences, except a few that stay unknown."""
    tokenizer = WordTokenizer(min_count=2)
    tokenizer.fit(draw_samples(40)[1])
    return tokenizer.vocabulary


def write_files(folder, kind, size=(32, 32), dataset=None):
    """Write config and checkpoint of one of ``KINDS``; returns both paths."""
    image_stream, image_dim, text_stream, text_dim = copy.deepcopy(KINDS[kind])
    words = text_stream is not None and 'neck' in text_stream
    tokenizer = dict(type='WordTokenizer') if words else dict(type='CLIPTokenizer', context_length=20)
    model = dual_stream_config(
        data_preprocessor=PREPROCESSOR,
        image_stream=image_stream,
        text_stream=text_stream,
        image_projection=dict(type='LinearProjection', in_channels=image_dim, out_channels=16),
        text_projection=dict(type='LinearProjection', in_channels=text_dim, out_channels=16),
    )
    pipeline = [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=size[::-1]),
        dict(type='TokenizeCaption'),
        dict(type='PackTBPSInputs'),
    ]
    dataset = dict(dataset or dict(type='ToyPEDES', data_root='nowhere'), split='test', test_mode=True)
    loader = dict(dataset=dict(dataset, tokenizer=tokenizer, pipeline=pipeline))
    folder.mkdir(parents=True, exist_ok=True)
    Config(dict(default_scope='mmtbps', model=model, test_dataloader=loader)).dump(folder / 'config.py')

    meta = dict(vocabulary=vocabulary()) if words else {}
    if words:
        model['text_stream']['backbone']['vocab_size'] = len(meta['vocabulary'])
    torch.manual_seed(0)
    network = MODELS.build(model)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
    checkpoint = dict(state_dict=network.state_dict(), meta=dict(dataset_meta=meta))
    torch.save(checkpoint, folder / 'model.pth')
    return folder / 'config.py', folder / 'model.pth'


def build_encoder(folder, kind, **options):
    return ModelEncoder(*write_files(folder, kind, **options))
