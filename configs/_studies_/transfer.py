# What to transfer from CLIP, and how: the paper's strategies for the text, each with several image streams. On ToyPEDES
# a small CLIP of another domain (drawn shapes) stands in, and images start from random weights or from its own; on
# CUHK-PEDES they start from ImageNet or from CLIP, with and without CM-MoCo.
_base_ = './_base_/data_sets.py'

title = 'Transfer from CLIP'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

# train_shapes_clip.py and build_word_table.py make them, see docs/studies.md.
_shapes = 'data/shapes_clip/open_clip_model.safetensors'
_shapes_words = 'data/toypedes_500_shapes_words.npz'
# See docs/how_to/reproduce_the_paper.md.
_clip_words = 'data/cuhk_pedes/clip_words.npz'


def _clip(checkpoint: str, **settings: str | list) -> dict:
    return dict(type='CLIPPretrained', checkpoint=checkpoint, **settings)


def _tokenizer(**tokenizer: str | int) -> dict:
    dataset = dict(dataset=dict(tokenizer=dict(_delete_=True, **tokenizer)))
    return dict(train_dataloader=dataset, val_dataloader=dataset, test_dataloader=dataset)


def _tower(channels: int, **backbone: object) -> dict:
    return {
        'model.text_stream': dict(
            _delete_=True, type='TextStream', backbone=dict(type='CLIPTextTransformer', **backbone)
        ),
        'model.text_projection.in_channels': channels,
    }


def _shapes_tower(frozen_stages: int) -> dict:
    arch = dict(embed_dim=128, layers=2, width=128, heads=4, context_length=32)
    return {
        # Captions of persons are longer than those of shapes: the positions are interpolated.
        **_tower(128, arch=arch, context_length=64, frozen_stages=frozen_stages, init_cfg=_clip(_shapes)),
        # What is fine-tuned moves at a tenth of the rate.
        'optim_wrapper.paramwise_cfg': dict(custom_keys={'text_stream': dict(lr_mult=0.1)}),
        **_tokenizer(type='CLIPTokenizer', context_length=64),
    }


def _clip_table(**settings: bool) -> dict:
    return {
        'model.text_stream.backbone': dict(type='WordTable', table=_clip_words, **settings),
        'train_dataloader.dataset.tokenizer': dict(type='WordTableTokenizer', table=_clip_words),
    }


def _clip_tower(frozen_stages: int) -> dict:
    return {
        **_tower(512, arch='ViT-B-32', frozen_stages=frozen_stages, init_cfg=_clip('openai')),
        **_tokenizer(type='CLIPTokenizer'),
    }


def _clip_images(model: str, layers: tuple, channels: int) -> dict:
    backbone = dict(type='CLIPResNet', layers=layers, output_dim=channels, init_cfg=_clip('openai', model=model))
    return {
        'model.data_preprocessor': dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
        'model.image_stream': dict(_delete_=True, type='ImageStream', backbone=backbone),
        'model.image_projection.in_channels': channels,
    }


def _name(*parts: str) -> str:
    return '-'.join(parts).replace(',', '').replace(' ', '_')


def _variants(texts: dict, images: dict, methods: dict) -> dict:
    return {
        _name(text.split(' + ')[0], image.removeprefix('images from '), *method): dict(
            label=' + '.join([f'{text}; {image}', *method]), base=base, changes={**texts[text], **images[image]}
        )
        for base, method in methods.items()
        for text in texts
        for image in images
    }


variants = dict(
    toypedes_500=_variants(
        {
            'random words + Bi-GRU': {},
            'frozen words + Bi-GRU': {
                'model.text_stream.backbone': dict(type='WordTable', table=_shapes_words, frozen=True)
            },
            'trained words + Bi-GRU': {
                'model.text_stream.backbone': dict(type='WordTable', table=_shapes_words, frozen=False)
            },
            'whole text tower, frozen': _shapes_tower(frozen_stages=2),
            'whole text tower, fine-tuned': _shapes_tower(frozen_stages=-1),
        },
        {
            'images from scratch': {},
            'images from CLIP': {'model.image_stream.backbone.init_cfg': _clip(_shapes, ignore=['attnpool.*'])},
        },
        dict(baseline=[]),
    ),
    cuhk_pedes=_variants(
        {
            'random words + Bi-GRU': {},
            'frozen words + Bi-GRU': _clip_table(),
            'trained words + Bi-GRU': _clip_table(frozen=False),
            'whole text tower, frozen': _clip_tower(frozen_stages=12),
            'whole text tower, fine-tuned': _clip_tower(frozen_stages=-1),
        },
        {
            'images from ImageNet': {},
            'images from CLIP RN50': _clip_images('RN50', (3, 4, 6, 3), 1024),
            'images from CLIP RN101': _clip_images('RN101', (3, 4, 23, 3), 512),
        },
        dict(baseline=[], cm_moco=['CM-MoCo']),
    ),
)
