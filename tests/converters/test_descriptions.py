"""What weights do not tell: by open_clip's name of a model, the config beside a file, the sizes, or the user."""

import json
import math

import open_clip
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from published_shapes import irra_shapes, random_weights
from tiny_clip import TEXT_ARCH, huggingface_names, tiny_clip

from mmtbps.converters import Options, convert_file, parse_options
from mmtbps.converters.clip_dual import to_ours
from mmtbps.converters.descriptions import of_open_clip, vision_head_widths
from mmtbps.search import ModelEncoder

VISION = dict(image_size=32, layers=2, width=32, head_width=16, patch_size=8)
TEXT = {key: value for key, value in TEXT_ARCH.items() if key != 'embed_dim'}
BLOCK = 'base_model.visual.transformer.resblocks.0.'
CONFIG = dict(embed_dim=16, vision_cfg=VISION, text_cfg=TEXT)


@pytest.fixture(scope='module')
def model():
    return tiny_clip(quick_gelu=False)


@pytest.fixture
def named(monkeypatch):
    """A small model under one of open_clip's names."""
    monkeypatch.setattr(open_clip, 'get_model_config', lambda name: CONFIG)


@pytest.fixture
def theirs(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / 'theirs.pth')
    return tmp_path / 'theirs.pth'


def write_json(path, **content):
    path.write_text(json.dumps(content))


def convert(file, *options):
    convert_file(file, file.with_name('ours.pth'), options=parse_options(['input_size=32x32', *options]))
    return Config.fromfile(file.with_name('ours.py'))


def check_features(model, folder):
    network = ModelEncoder(folder / 'ours.py', folder / 'ours.pth', 'cpu').model
    images = torch.rand(2, 3, 32, 32)
    ids = torch.tensor([[49406, 320, 49407], [49406, 1125, 49407]])
    padded = torch.nn.functional.pad(ids, (0, 17))
    with torch.no_grad():
        torch.testing.assert_close(network.encode_image(images), model.encode_image(images), rtol=0, atol=1e-5)
        found = network.encode_text(ids, torch.tensor([3, 3]))
        torch.testing.assert_close(found, model.encode_text(padded), rtol=0, atol=1e-5)


def test_the_name_of_a_model_tells_heads_and_activation(named, model, theirs, tmp_path):
    convert(theirs, 'model=ViT-H-14')
    check_features(model, tmp_path)


@pytest.mark.parametrize('form', ['torch', 'transformers'])
@pytest.mark.parametrize('quick', [False, True])
def test_the_config_beside_a_file_tells_heads_and_activation(form, quick, tmp_path):
    model = tiny_clip(quick_gelu=quick)
    state, file = model.state_dict(), tmp_path / 'theirs.pth'
    if form == 'transformers':
        state = {name: value.clone() for name, value in huggingface_names(state, 2).items()}
        tower = dict(hidden_act='quick_gelu' if quick else 'gelu', hidden_size=32, num_hidden_layers=2)
        tower['num_attention_heads'] = 2
        write_json(tmp_path / 'config.json', vision_config=dict(tower, patch_size=8), text_config=tower)
    else:
        preprocessing = dict(mean=[0.5, 0.25, 0], std=[0.5, 1, 1], interpolation='bilinear')
        write_json(
            tmp_path / 'open_clip_config.json', model_cfg=dict(CONFIG, quick_gelu=quick), preprocess_cfg=preprocessing
        )
    torch.save(state, file)
    config = convert(file)
    check_mean = [127.5, 63.75, 0.0] if form == 'torch' else None
    assert check_mean in (None, config.model.data_preprocessor.mean)
    check_features(model, tmp_path)


def test_transformers_without_a_config_are_asked_for(model, tmp_path, named):
    state = {name: value.clone() for name, value in huggingface_names(model.state_dict(), 2).items()}
    torch.save(state, tmp_path / 'theirs.pth')
    for options in ([], ['model=ViT-B-16']):
        with pytest.raises(ValueError, match=r'do not tell their activation, and there is no config\.json .*=true'):
            convert(tmp_path / 'theirs.pth', 'vision_heads=2', 'text_heads=2', *options)
    convert(tmp_path / 'theirs.pth', 'vision_heads=2', 'text_heads=2', 'quick_gelu=false')
    check_features(model, tmp_path)


def test_a_config_of_transformers_that_tells_the_activation_alone(model, tmp_path):
    state = {name: value.clone() for name, value in huggingface_names(model.state_dict(), 2).items()}
    torch.save(state, tmp_path / 'theirs.pth')
    write_json(tmp_path / 'config.json', vision_config=dict(hidden_act='gelu'), text_config=dict(hidden_act='gelu'))
    with pytest.raises(ValueError, match='do not tell the number of heads'):
        convert(tmp_path / 'theirs.pth')
    convert(tmp_path / 'theirs.pth', 'vision_heads=2', 'text_heads=2')
    check_features(model, tmp_path)


def test_what_a_config_of_transformers_leaves_out_is_usual(tmp_path):
    """A width of 96 in twelve heads of 8 and a text width of 64 in eight, with QuickGELU."""
    torch.manual_seed(0)
    vision, text = dict(VISION, width=96, head_width=8), dict(TEXT, width=64, heads=8)
    model = open_clip.model.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()
    state = {name: value.clone() for name, value in huggingface_names(model.state_dict(), 2).items()}
    torch.save(state, tmp_path / 'theirs.pth')
    sizes = dict(hidden_size=96), dict(hidden_size=64)
    write_json(tmp_path / 'config.json', vision_config=sizes[0], text_config=sizes[1])
    convert(tmp_path / 'theirs.pth')
    check_features(model, tmp_path)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('open_clip_config.json', dict(model_cfg=dict(CONFIG, vision_cfg=dict(VISION, width=64))),
         'they have image width 32 instead of 64'),
        ('open_clip_config.json', dict(model_cfg=dict(CONFIG, vision_cfg=dict(VISION, pool_type='avg'))),
         "has not CLIP's plain towers and vocabulary: pool_type 'avg'"),
        ('open_clip_config.json', dict(model_cfg=dict(CONFIG, vision_cfg=dict(VISION, width='32'))), 'no config of a'),
        ('open_clip_config.json', dict(model_cfg=CONFIG, preprocess_cfg=dict(mean='x')), 'no config of a model'),
        ('open_clip_config.json', dict(model_cfg=dict(embed_dim=16, text_cfg=TEXT, vision_cfg=3)), 'needs vision_cfg'),
        ('open_clip_config.json', dict(x=1), 'is no config of open_clip'),
    ],
)  # fmt: skip
def test_a_config_of_another_model_is_refused(name, content, message, theirs, tmp_path):
    write_json(tmp_path / name, **content)
    with pytest.raises(ValueError, match=rf'open_clip_config\.json.*{message}|{message}'):
        convert(theirs)
    assert not (tmp_path / 'ours.pth').exists()
    assert not (tmp_path / 'ours.py').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(vision_config=None), 'needs vision_config and text_config'),
        (dict(vision_config=dict(hidden_act='gelu'), text_config={}), 'hidden_act must be'),
        (
            dict(vision_config=dict(patch_size=32, hidden_size=768), text_config=dict(num_hidden_layers=12)),
            'patch size 8 instead of 32, image width 32 instead of 768, text layers 2 instead of 12',
        ),
    ],
)
def test_a_config_of_transformers_that_does_not_fit(content, message, model, tmp_path):
    state = {name: value.clone() for name, value in huggingface_names(model.state_dict(), 2).items()}
    torch.save(state, tmp_path / 'theirs.pth')
    write_json(tmp_path / 'config.json', **content)
    with pytest.raises(ValueError, match=rf'config\.json.*{message}'):
        convert(tmp_path / 'theirs.pth')


def test_the_heads_of_open_clips_large_models():
    """By name and by sizes, where 64 channels a head are wrong without a sign of it."""
    widths = vision_head_widths()
    for name, head in {'ViT-B-16': 64, 'ViT-H-14': 80, 'ViT-g-14': 88, 'ViT-bigG-14': 104, 'ViT-e-14': 112}.items():
        sizes = open_clip.get_model_config(name)['vision_cfg']
        assert widths[sizes['width'], sizes['layers'], sizes['patch_size']] == head
        assert of_open_clip(name).vision_heads == sizes['width'] // head


@pytest.mark.parametrize(
    'name', ['ViT-L-14-worldwide', 'ViT-H-14-CLIPA', 'coca_ViT-B-32', 'ViT-B-16-SigLIP', 'EVA02-B-16']
)
def test_models_without_plain_towers_are_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"{name} of open_clip has not CLIP's plain towers"):
        of_open_clip(name)


def shapes_of(width, layers=2, patch=16):
    """A CLIP model, of whose text tower one block is enough."""
    shapes = irra_shapes(vision=width, text=64, layers=layers, dim=32, places=197)
    weights = random_weights(shapes, half=False)
    weights['base_model.visual.conv1.weight'] = torch.zeros(width, 3, patch, patch)
    return weights


def test_heads_by_sizes_come_before_the_rule(monkeypatch):
    monkeypatch.setattr(
        'mmtbps.converters.clip_dual.vision_head_widths', lambda: {(128, 2, 14): 32, (128, 3, 14): 64, (192, 2, 14): 64}
    )
    options = Options(input_size=(224, 224))

    def head_width(weights):
        return to_ours(weights, options).config['model']['image_stream']['backbone']['arch']['head_width']

    assert head_width(shapes_of(128, patch=16) | shapes_of(128, patch=14) | positions(128)) == 32
    assert head_width(shapes_of(192)) == 64
    with pytest.raises(ValueError, match=r'a width of 128 differ in it.*vision_heads=N'):
        to_ours(shapes_of(128), Options())


def positions(width):
    return {'base_model.visual.positional_embedding': torch.zeros(1 + 16 * 16, width)}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(width=st.integers(5, 40).map(lambda number: 8 * number).filter(lambda width: width % 64))
def test_a_width_that_is_no_multiple_of_64_is_asked_for(width):
    weights = shapes_of(width, layers=1)
    with pytest.raises(ValueError, match=rf'width of {width} is no multiple of 64.*--option vision_heads=N'):
        to_ours(weights, Options())
    assert to_ours(weights, Options(vision_heads=width // 8)).layout == 'irra'


def test_another_vocabulary_is_refused_unless_it_is_named(theirs):
    state = torch.load(theirs, weights_only=True)
    state['token_embedding.weight'] = torch.zeros(250_100, 32)
    torch.save(state, theirs)
    options = ['vision_heads=2', 'text_heads=2', 'quick_gelu=true']
    for more in ([], ['vocab_size=49408']):
        with pytest.raises(ValueError, match=r"vocabulary of 250100 tokens, not .*CLIP's tokenizer.*vocab_size=250100"):
            convert(theirs, *options, *more)
    convert(theirs, *options, 'vocab_size=250100')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda weights: weights.pop('base_model.ln_final.bias'), r'base_model\.ln_final\.bias is missing'),
        (lambda weights: weights.update({'base_model.ln_final.weight': torch.ones(7)}),
         r'ln_final\.weight has the shape \(7,\) instead of \(64,\)'),
        (lambda weights: weights.update({'base_model.visual.proj': torch.full((64, 32), math.nan)}),
         r'visual\.proj has values that are not finite'),
        (lambda weights: weights['base_model.visual.ln_post.bias'].fill_(math.inf), 'not finite'),
        (lambda weights: weights.update({'base_model.visual.proj': torch.ones(64, 32, dtype=torch.int8)}),
         r'visual\.proj holds int8 numbers'),
        (lambda weights: weights.update({'base_model.visual.proj': torch.tensor(1.0)}), r'proj .* the shape \(\)'),
        (lambda weights: weights.update({'base_model.visual.positional_embedding': torch.tensor(3.0)}),
         r'positional_embedding .* the shape \(\)'),
        (lambda weights: weights.update({'base_model.visual.conv1.weight': torch.ones(3)}), r'conv1.* shape \(3,\)'),
        (lambda weights: weights.update({'base_model.ln_final.weight': torch.tensor(3.0)}), r'ln_final.* shape \(\)'),
        (lambda weights: weights.update({f'{BLOCK}mlp.c_fc.weight': torch.ones(7, 64)}),
         r'do not make the whole network that their sizes tell: .*mlp\.c_fc\.bias has the shape'),
    ],
)  # fmt: skip
def test_weights_that_the_network_cannot_have_are_listed(change, message, tmp_path):
    weights = random_weights(irra_shapes(vision=64, text=64, layers=1, dim=32), half=False)
    change(weights)
    torch.save(weights, tmp_path / 'theirs.pth')
    with pytest.raises(ValueError, match=rf'theirs\.pth: .*{message}'):
        convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
    assert not (tmp_path / 'ours.pth').exists()


@settings(max_examples=20, deadline=None)
@given(width=st.sampled_from([64, 1664, 1792]), hidden=st.integers(1, 20_000))
def test_the_ratio_gives_the_hidden_width_back(width, hidden):
    from mmtbps.converters.towers import _mlp

    found = _mlp({'transformer.resblocks.0.mlp.c_fc.weight': torch.empty(hidden, 1)}, width)
    assert int(width * found.get('mlp_ratio', 4.0)) == hidden
