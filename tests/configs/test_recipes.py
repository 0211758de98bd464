"""The configs of the paper say what the paper says (Han et al., BMVC 2021); its facts are typed here."""

import numpy as np
import pytest
import torch
from config_leaves import LEAVES, PAPER, VARIANTS, load
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from open_clip.modified_resnet import ModifiedResNet

from mmtbps.registry import MODELS, PARAM_SCHEDULERS

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SETS = {'cuhk-pedes': 'CUHKPEDES', 'icfg-pedes': 'ICFGPEDES', 'rstp-reid': 'RSTPReid'}
METHODS = {'dual_stream': 'dual-stream', 'cm_moco': 'cm-moco'}
STREAMS = ('r50-bigru', 'clip-r50-clip-words-bigru', 'clip-r101-clip-words-bigru')
# Blocks, length of the feature, name among CLIP's models.
CLIP_IMAGES = {'clip-r50': ([3, 4, 6, 3], 1024, 'RN50'), 'clip-r101': ([3, 4, 23, 3], 512, 'RN101')}
# As the study of transfer names them, and as the leaves do.
IMAGES = {'ImageNet': 'r50', 'CLIP_RN50': 'clip-r50', 'CLIP_RN101': 'clip-r101'}
TEXTS = {
    'random_words': 'bigru',
    'frozen_words': 'clip-words-bigru',
    'trained_words': 'clip-words-ft-bigru',
    'whole_text_tower_frozen': 'clip-text',
    'whole_text_tower_fine-tuned': 'clip-text-ft',
}


def leaf_of(folder, streams, data='cuhk-pedes', form=''):
    return f'{folder}/{METHODS[folder]}_{streams}_1xb128-80e_{data}{form}.py'


def variant_of(folder, text, image):
    return f'transfer_cuhk_pedes: {text}-{image}{"-CM-MoCo" if folder == "cm_moco" else ""}'


STRATEGIES = {
    variant_of(folder, text, image): (folder, IMAGES[image], TEXTS[text])
    for folder in METHODS
    for text in TEXTS
    for image in IMAGES
}
# What the paper trains: recipes and strategies of transfer.
TRAINED = [*PAPER, *STRATEGIES]


def streams_of(name):
    """Image and text part of a leaf or a strategy."""
    if name in STRATEGIES:
        return STRATEGIES[name][1:]
    streams = name.split('/')[1].split('_')[1]
    image = next(image for image in sorted(IMAGES.values(), key=len, reverse=True) if streams.startswith(image))
    return image, streams.removeprefix(f'{image}-')


def contents(name):
    """The config without the variables that leaves take from their bases."""
    return {key: value for key, value in load(name).to_dict().items() if key not in ('clip_image', 'word_table')}


@pytest.mark.parametrize('name', STRATEGIES)
def test_every_strategy_is_a_variant_and_equals_its_leaf_where_there_is_one(name):
    folder, image, text = STRATEGIES[name]
    assert name in VARIANTS
    leaf = leaf_of(folder, f'{image}-{text}')
    if leaf in LEAVES:
        assert contents(name) == contents(leaf)


def test_leaves_that_are_strategies():
    """So that the comparison above compares something."""
    leaves = {leaf_of(folder, f'{image}-{text}') for folder, image, text in STRATEGIES.values()} & set(LEAVES)
    assert len(leaves) == 5


@pytest.mark.parametrize('data', SETS)
@pytest.mark.parametrize('streams', STREAMS)
@pytest.mark.parametrize('form', ['', '-published'])
def test_every_recipe_is_a_leaf(data, streams, form):
    model = load(leaf_of('cm_moco', streams, data, form)).model
    assert (model.queue.size, model.momentum, model.heads.contrastive.temperature) == (2048, 0.999, 0.07)


@pytest.mark.parametrize('data', SETS)
@pytest.mark.parametrize('streams', [STREAMS[0], STREAMS[2]])
def test_two_baselines_are_leaves(data, streams):
    assert leaf_of('dual_stream', streams, data) in LEAVES


@pytest.mark.parametrize('leaf', PAPER)
def test_data_set(leaf):
    cfg = load(leaf)
    name = next(name for name in SETS if name in leaf)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert (dataset.type, dataset.data_root) == (SETS[name], f'data/{name.replace("-", "_")}')


@pytest.mark.parametrize('leaf', TRAINED)
def test_image_stream(leaf):
    image, _ = streams_of(leaf)
    model = load(leaf).model
    preprocessor = MODELS.build(model.data_preprocessor)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if image == 'r50' else (CLIP_MEAN, CLIP_STD)
    np.testing.assert_allclose(preprocessor.mean.flatten() / 255, mean, atol=1e-5)
    np.testing.assert_allclose(preprocessor.std.flatten() / 255, std, atol=1e-5)
    # Erased pixels hold the numbers of the mean, in the normalised image.
    np.testing.assert_allclose(preprocessor.erase_value.flatten(), mean, atol=1e-5)
    backbone = model.image_stream.backbone
    if image == 'r50':
        assert (backbone.type, backbone.depth, list(backbone.strides)) == ('ResNet', 50, [1, 2, 2, 1])
        assert model.image_stream.neck.type == 'GlobalAveragePooling'
        assert backbone.init_cfg.checkpoint == 'torchvision://resnet50'
    else:
        layers, length, name = CLIP_IMAGES[image]
        assert (list(backbone.layers), backbone.output_dim) == (layers, length)
        assert backbone.init_cfg == dict(type='CLIPPretrained', model=name, checkpoint='openai')
        assert 'neck' not in model.image_stream
    assert model.image_projection.in_channels == (2048 if image == 'r50' else CLIP_IMAGES[image][1])


@pytest.mark.parametrize('image', CLIP_IMAGES)
def test_clip_image_backbone_at_full_size(image):
    """Names and shapes of the released weights, with a final grid of 24 x 8."""
    layers, length, _ = CLIP_IMAGES[image]
    with torch.device('meta'):
        ours = MODELS.build(dict(load(leaf_of('cm_moco', f'{image}-clip-words-bigru')).model.image_stream.backbone))
        released = ModifiedResNet(layers, length, heads=32, image_size=224, width=64)
    shapes = [{name: value.shape for name, value in net.state_dict().items()} for net in (ours, released)]
    assert shapes[0].pop('attnpool.positional_embedding') == (1 + 24 * 8, 2048)
    assert shapes[1].pop('attnpool.positional_embedding') == (1 + 7 * 7, 2048)
    # The grid that the positions belong to, which released weights leave to their shape.
    assert shapes[0].pop('attnpool.positional_grid') == (2,)
    assert shapes[0] == shapes[1]
    assert ours.attnpool.num_heads == 32


@pytest.mark.parametrize('leaf', TRAINED)
def test_text_stream(leaf):
    _, text = streams_of(leaf)
    cfg = load(leaf)
    stream, tokenizer = cfg.model.text_stream, cfg.train_dataloader.dataset.tokenizer
    backbone = stream.backbone
    if text.startswith('clip-text'):
        assert (backbone.type, backbone.arch) == ('CLIPTextTransformer', 'ViT-B-32')
        assert backbone.init_cfg == dict(type='CLIPPretrained', checkpoint='openai')
        assert backbone.frozen_stages == (-1 if text == 'clip-text-ft' else 12)
        assert (cfg.model.text_projection.in_channels, 'neck' in stream) == (512, False)
        return
    assert (stream.neck.type, stream.neck.in_channels, stream.neck.hidden_size) == ('BiGRUNeck', 512, 512)
    assert (backbone.embed_dims, cfg.model.text_projection.in_channels, tokenizer.max_length) == (512, 1024, 100)
    if text == 'bigru':
        assert (backbone.type, tokenizer.type) == ('WordEmbedding', 'WordTokenizer')
    else:
        assert (backbone.type, tokenizer.type) == ('WordTable', 'WordTableTokenizer')
        # One table per data set, for the ids and for their vectors.
        assert backbone.table == tokenizer.table == f'{cfg.train_dataloader.dataset.data_root}/clip_words.npz'
        assert backbone.get('frozen', True) == (text == 'clip-words-bigru')


@pytest.mark.parametrize('folder', METHODS)
@pytest.mark.parametrize(
    ('text', 'trained', 'frozen'),
    [
        ('random_words', {'backbone', 'neck'}, set()),
        ('frozen_words', {'neck'}, {'backbone'}),
        ('trained_words', {'backbone', 'neck'}, set()),
        ('whole_text_tower_frozen', set(), {'backbone'}),
        ('whole_text_tower_fine-tuned', {'backbone'}, set()),
    ],
)
def test_what_a_strategy_trains(folder, text, trained, frozen):
    stream = load(variant_of(folder, text, 'CLIP_RN50')).model.text_stream
    if text.startswith('whole'):
        stream.backbone.arch = dict(embed_dim=512, layers=12, width=16, heads=2)
    parts = {True: set(), False: set()}
    for name, parameter in MODELS.build(stream).named_parameters():
        parts[parameter.requires_grad].add(name.split('.')[0])
    assert parts == {True: trained, False: frozen}


@pytest.mark.parametrize('leaf', PAPER)
def test_learning_rate_of_every_epoch(leaf):
    """Counted from 0: 0.1 + 0.9 e/5 for e < 5, 1, x 0.1 from 40, x 0.01 from 70."""
    cfg = load(leaf)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer), default_args=dict(epoch_length=1))
        for scheduler in cfg.param_scheduler
    ]
    factors = []
    for _ in range(cfg.train_cfg.max_epochs):
        factors.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    expected = [0.1 + 0.9 * e / 5 if e < 5 else 1.0 if e < 40 else 0.1 if e < 70 else 0.01 for e in range(80)]
    np.testing.assert_allclose(factors, expected, rtol=1e-12)


@pytest.mark.parametrize('leaf', PAPER)
def test_optimizer(leaf):
    """Twice the rate and no decay for every parameter with 'bias' in its name; two groups, not one a tensor."""
    model = torch.nn.ModuleDict({'gru': torch.nn.GRU(2, 2), 'norm': torch.nn.BatchNorm2d(2)})
    optimizer = build_optim_wrapper(model, load(leaf).optim_wrapper).optimizer
    assert type(optimizer) is torch.optim.Adam
    assert (optimizer.defaults['betas'], optimizer.defaults['eps']) == ((0.9, 0.999), 1e-8)
    groups = optimizer.param_groups
    settings = {id(p): (group['lr'], group['weight_decay']) for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        assert settings[id(parameter)] == ((2e-4, 0.0) if 'bias' in name else (1e-4, 4e-5)), name
    assert len(groups) == 2


@pytest.mark.parametrize('leaf', PAPER)
def test_batches_and_augmentation(leaf):
    cfg = load(leaf)
    train = cfg.train_dataloader
    assert (train.batch_size, train.sampler.batch_size, train.sampler.num_instances) == (128, 128, 4)
    steps = Compose(train.dataset.pipeline).transforms
    names = [type(step).__name__ for step in steps]
    assert names == ['LoadPersonImage', 'ResizeFlipCrop', 'RandomErasingBox', 'TokenizeCaption', 'PackTBPSInputs']
    _, crop, erasing, *_ = steps
    assert (crop.size, crop.flip_prob, crop.padding) == ((384, 128), 0.5, 10)
    assert (erasing.prob, erasing.area_range) == (0.5, (0.02, 0.4))
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert [step.type for step in loader.dataset.pipeline][1:2] == ['Resize']
        assert loader.dataset.pipeline[1].scale == (128, 384)


@pytest.mark.parametrize('leaf', PAPER)
def test_losses(leaf):
    cfg = load(leaf)
    heads = {name: MODELS.build(head) for name, head in cfg.model.heads.items()}
    assert set(heads) == {'identity', 'alignment'} | ({'contrastive'} if leaf.startswith('cm_moco') else set())
    assert all(head.loss_weight == 1 for head in heads.values())
    assert heads['identity'].label_smoothing == 0.1
    hooks = {hook.type for hook in cfg.get('custom_hooks', [])}
    assert ({'MomentumUpdateHook', 'QueueUpdateHook'} <= hooks) == leaf.startswith('cm_moco')


@pytest.mark.parametrize(
    ('losses', 'heads'),
    [
        ('identity', {'identity'}),
        ('alignment', {'alignment'}),
        ('identity + alignment', {'identity', 'alignment'}),
        ('in-batch contrast', {'itc'}),
    ],
)
def test_the_study_of_losses_takes_heads_away(losses, heads):
    models = [load(f'losses_cuhk_pedes: {losses}{end}').model for end in ('', ' + CM-MoCo')]
    assert [model.type for model in models] == ['DualStreamRetriever', 'CMMoCoRetriever']
    assert [set(model.heads) for model in models] == [heads, heads | {'contrastive'}]
    assert all(head.get('loss_weight', 1) == 1 for model in models for head in model.heads.values())


def test_the_study_of_queues_has_the_sizes_of_the_paper():
    names = [name for name in VARIANTS if name.startswith('queue_size_cuhk_pedes: queue')]
    sizes = [load(name).model.queue.size for name in names]
    assert sizes == [256, 512, 1024, 2048, 4096, 8192]
    assert contents(names[3]) == contents(leaf_of('cm_moco', 'r50-bigru'))


def test_published_forms_differ_in_their_switches_alone():
    forms = [leaf for leaf in PAPER if leaf.endswith('-published.py')]
    assert len(forms) == 9 + 6
    # The paper's own number is that of RN101.
    assert leaf_of('cm_moco', 'clip-r101-clip-words-bigru', form='-published') in forms
    for leaf in forms:
        published, default = load(leaf), load(leaf.replace('-published', ''))
        for part in ('published', 'published_baseline', 'published_training', 'published_images'):
            published.pop(part)
        model = published.model
        assert model.text_stream.neck.pop('legacy_padding') is True
        if leaf.startswith('cm_moco'):
            assert model.pop('published_init') is True
            assert model.queue.pop('random_init') is True
            assert model.heads.contrastive.pop('exclude') == 'batch'
        for part in ('train', 'val', 'test'):
            dataset = published[f'{part}_dataloader'].dataset
            resize = dict(dataset.pipeline[1])
            assert (resize.pop('backend'), resize.pop('interpolation', 'bilinear')) == ('pillow', 'bilinear')
            dataset.pipeline = [dataset.pipeline[0], resize, *dataset.pipeline[2:]]
        assert published.to_dict() == default.to_dict()
