"""Every config, studies' too, builds, trains a step and predicts, on a shrunk copy."""

import functools
import json

import pytest
import torch
from config_leaves import LEAVES, VARIANTS, VOCABULARY, load
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample

from mmtbps.datasets import IGNORED
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.registry import DATASETS, HOOKS, METRICS, MODELS


@pytest.fixture(scope='module')
def word_tables(tmp_path_factory):
    """Tables of words by the length of their vectors."""
    folder = tmp_path_factory.mktemp('words')

    @functools.cache
    def write(length):
        WordVectors(VOCABULARY[2:], torch.randn(len(VOCABULARY) - 2, length)).save(folder / f'{length}.npz')
        return str(folder / f'{length}.npz')

    return write


def without_pretrained_weights(cfg):
    """Weights are files that a test does not have; everything else stays."""
    for key, value in list(cfg.items()):
        if key == 'init_cfg':
            cfg[key] = None
        elif isinstance(value, dict):
            without_pretrained_weights(value)
    return cfg


def shrink(model, word_tables):
    """Thin backbones and small images in place of the full ones: the wiring is the same, and a step takes a moment."""
    model = without_pretrained_weights(model)
    image, text = model.image_stream.backbone, model.text_stream.backbone
    if image.type == 'ResNet':
        image.update(stem_channels=4, base_channels=4)
        assert model.image_projection.in_channels == 2048
        model.image_projection.in_channels = 128
    elif image.type == 'CLIPViT' and image.arch == 'ViT-B-16':
        image.update(arch=dict(embed_dim=512, layers=1, width=64, patch_size=16), input_size=(96, 32))
    elif image.get('input_size') is None:
        image.update(layers=(1, 1, 1, 1), width=8, input_size=(96, 32))
    if text.type == 'WordTable':
        text.table = word_tables(text.embed_dims)
    elif text.type == 'CLIPTextTransformer' and text.arch in ('ViT-B-32', 'ViT-B-16'):
        text.arch = dict(embed_dim=512, layers=12, width=16, heads=2)
    if 'words' in model.heads:
        model.heads.words.update(vocab_size=50, depth=1)
    return model


def batch_of(*persons, in_place=False):
    """Random images of the shrunk size, each with one caption of three words, and with every view that a head needs.

    With ``in_place`` the caption itself is the masked one.
    """
    samples = []
    for index, person in enumerate(persons):
        sample = DataSample(metainfo=dict(captions=['a sentence']))
        sample.set_field(person, 'person_id')
        sample.set_field([[2, 3, 4]], 'tokens')
        sample.set_field(index, 'sample_idx')
        image, *views = (torch.randint(0, 256, (3, 96, 32), dtype=torch.uint8) for _ in range(4))
        pictures = dict(zip(('second', 'strong_1', 'strong_2'), views, strict=True))
        masked = dict({} if in_place else dict(tokens=[2, 9, 4]), labels=[IGNORED, 3, IGNORED])
        sample.set_field(dict({key: {} for key in pictures}, masked=masked), 'views')
        samples.append(dict(inputs=dict(image=image, views=pictures), data_samples=sample))
    return pseudo_collate(samples)


@functools.cache
def train_and_predict(model_json, optim_json):
    """Check one model and its optimizer; leaves of several data sets share them."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(json.loads(model_json)))
    for module in model.modules():
        if hasattr(module, 'set_words'):
            module.set_words(VOCABULARY)
    optim_wrapper = build_optim_wrapper(model, ConfigDict(json.loads(optim_json)))
    parameters = dict(model.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    in_place = any(getattr(head, 'caption_is_masked', False) for head in model.heads.values())
    losses = model.train_step(batch_of(0, 0, 1, 1, in_place=in_place), optim_wrapper)
    assert torch.isfinite(losses['loss'])
    moved = {name for name, parameter in parameters.items() if not torch.equal(parameter, before[name])}
    assert moved
    assert moved <= {name for name, parameter in parameters.items() if parameter.requires_grad}
    model.eval()
    with torch.no_grad():
        (prediction,) = model.test_step(batch_of(0))
    assert prediction.image_feat.shape == prediction.text_feats[0].shape
    assert prediction.image_feat.shape in {(size,) for size in (128, 256, 384, 512, 1536)}


@pytest.mark.parametrize('leaf', LEAVES + VARIANTS)
def test_config_trains_and_predicts_one_batch(leaf, word_tables):
    cfg = load(leaf)
    train_and_predict(json.dumps(shrink(cfg.model, word_tables)), json.dumps(cfg.optim_wrapper))


@pytest.mark.parametrize('leaf', LEAVES + VARIANTS)
def test_parts_beside_the_model_build(leaf):
    cfg = load(leaf)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        Compose(loader.dataset.pipeline)
        assert DATASETS.build(dict(loader.dataset, lazy_init=True)).split == loader.dataset.split
    # Words of the training set suit any tokenizer of words; CLIP's BPE tokens suit none.
    byte_pairs = [
        cfg[f'{name}_dataloader'].dataset.tokenizer.type == 'CLIPTokenizer' for name in ('train', 'val', 'test')
    ]
    assert byte_pairs == [cfg.model.text_stream.backbone.type == 'CLIPTextTransformer'] * 3
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        HOOKS.build(hook)
    METRICS.build(cfg.val_evaluator)


@pytest.mark.parametrize('leaf', LEAVES)
def test_selection_on_val_and_report_on_test(leaf):
    cfg = load(leaf)
    splits = [cfg[f'{name}_dataloader'].dataset.split for name in ('train', 'val', 'test')]
    assert splits == ['train', 'val', 'test']
    assert cfg.default_hooks.checkpoint.save_best == 't2i/R@1'
    assert cfg.default_hooks.checkpoint.rule == 'greater'
