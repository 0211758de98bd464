# What to transfer from a small CLIP of another domain (drawn shapes), and how: the paper's strategies for the text,
# each with an image stream from random weights and from CLIP's.
_base_ = './_base_/toypedes_500.py'

title = 'Transfer from a small CLIP of another domain (ToyPEDES, 500 identities)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_leaf = '../dual_stream/dual-stream_tiny_toypedes.py'
# train_shapes_clip.py and build_word_table.py make them, see docs/studies.md.
_weights = 'data/shapes_clip/open_clip_model.safetensors'
_table = 'data/toypedes_500_shapes_words.npz'


def _tokenizer(**tokenizer: str | int) -> dict:
    dataset = dict(dataset=dict(tokenizer=dict(_delete_=True, **tokenizer)))
    return dict(train_dataloader=dataset, val_dataloader=dataset, test_dataloader=dataset)


def _words(frozen: bool) -> dict:
    return {'model.text_stream.backbone': dict(type='WordTable', table=_table, frozen=frozen)}


def _tower(frozen_stages: int) -> dict:
    backbone = dict(
        type='CLIPTextTransformer',
        arch=dict(embed_dim=128, layers=2, width=128, heads=4, context_length=32),
        # Captions of persons are longer than those of shapes: the positions are interpolated.
        context_length=64,
        frozen_stages=frozen_stages,
        init_cfg=dict(type='CLIPPretrained', checkpoint=_weights),
    )
    return {
        'model.text_stream': dict(_delete_=True, type='TextStream', backbone=backbone),
        'model.text_projection.in_channels': 128,
        # What is fine-tuned moves at a tenth of the rate.
        'optim_wrapper.paramwise_cfg': dict(custom_keys={'text_stream': dict(lr_mult=0.1)}),
        **_tokenizer(type='CLIPTokenizer', context_length=64),
    }


_texts = {
    'random words + Bi-GRU': {},
    'frozen words + Bi-GRU': _words(frozen=True),
    'trained words + Bi-GRU': _words(frozen=False),
    'whole text tower, frozen': _tower(frozen_stages=2),
    'whole text tower, fine-tuned': _tower(frozen_stages=-1),
}
_images = {
    'images from scratch': {},
    'images from CLIP': {
        'model.image_stream.backbone.init_cfg': dict(type='CLIPPretrained', checkpoint=_weights, ignore=['attnpool.*'])
    },
}
variants = {
    f'{_text.split(" + ")[0]}-{_image.split()[-1]}'.replace(',', '').replace(' ', '_'): dict(
        label=f'{_text}; {_image}', config=_leaf, changes={**_texts[_text], **_images[_image]}
    )
    for _text in _texts
    for _image in _images
}
