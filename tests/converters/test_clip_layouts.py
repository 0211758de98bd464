"""Checkpoints of CLIP's dual encoders: every name accounted for, features as their public codes give them."""

import pickle

import cv2
import numpy as np
import onnxruntime
import open_clip
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ladder_vectors import FOLDER
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file
from tiny_clip import huggingface_names

from mmtbps.converters import convert_file, parse_options, revert_file
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.deploy.graphs import trace_graphs
from mmtbps.search import ModelEncoder
from mmtbps.search.encoders.model_encoder import prepare_images

ONE = ['mean=127.5,127.5,127.5', 'std=127.5,127.5,127.5', 'vision_heads=2', 'text_heads=2', 'vocab_size=100']
IMAGENET = ['vision_heads=2', 'text_heads=2', 'vocab_size=64']


def load(path):
    return torch.load(FOLDER / path, weights_only=True)


def case_irra(stride):
    case = load('irra_rde/irra_forward.pth')[f'stride_{stride}']
    inputs = case['inputs']
    options = [*ONE, *([] if stride == 8 else ['input_size=48x16', 'stride=6'])]
    return case['state'], options, inputs['images_uint8'], inputs['caption_ids'], 99, case['image'], case['text']


def case_rde(stride):
    case = load('irra_rde/rde_forward.pth')[f'stride_{stride}']
    inputs = case['inputs']
    image, text = (
        torch.cat([torch.nn.functional.normalize(case[f'{part}_{side}'], dim=1) for part in ('bge', 'tse')], dim=1)
        for side in ('image', 'text')
    )
    options = [*ONE, *([] if stride == 8 else ['input_size=48x16', 'stride=6'])]
    return case['state'], options, inputs['images_uint8'], inputs['caption_ids'], 99, image, text


def case_clip():
    """IRRA's towers are CLIP's, with the positions of a square resized to 48 x 16."""
    case = load('irra_rde/irra_forward.pth')
    _, _, images, captions, end, image, text = case_irra(8)
    return case['clip'], [*ONE, 'input_size=48x16'], images, captions, end, image, text


def case_tbps_clip(kind):
    case = load(f'tbps_clip/traj_{kind}.pth')
    given = case['eval']
    options = [*IMAGENET, 'input_size=48x32']
    return case['final'], options, given['images_uint8'], given['tokens'], 63, given['image'], given['text']


CASES = {
    'irra': lambda: case_irra(8),
    'irra, overlapping patches': lambda: case_irra(6),
    'rde': lambda: case_rde(8),
    'rde, overlapping patches': lambda: case_rde(6),
    'tbps-clip, simplified': lambda: case_tbps_clip('simplified'),
    'tbps-clip, full': lambda: case_tbps_clip('full'),
    'clip': case_clip,
}


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return CASES[request.param]()


def convert(tmp_path, state, options, **arguments):
    torch.save(state, tmp_path / 'theirs.pth')
    return convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', options=parse_options(options), **arguments)


def encoder_of(tmp_path):
    return ModelEncoder(tmp_path / 'ours.py', tmp_path / 'ours.pth', 'cpu')


def write_images(folder, images):
    files = []
    for number, image in enumerate(images):
        files.append(str(folder / f'{number}.png'))
        cv2.imwrite(files[-1], np.ascontiguousarray(image.permute(1, 2, 0).numpy()[..., ::-1]))
    return files


def normalised(features):
    return torch.nn.functional.normalize(features.double(), dim=1).float()


def check_features(encoder, tmp_path, images, captions, end, image, text):
    """Images through files and the config's pipeline; captions as ids, since the small vocabularies have no words."""
    found = encoder.encode_images(write_images(tmp_path, images))
    torch.testing.assert_close(found, normalised(image), rtol=0, atol=1e-6)
    ends = (captions == end).int().argmax(dim=1)
    with torch.no_grad():
        found = encoder.model.encode_text(captions[:, : int(ends.max()) + 1], ends + 1)
    torch.testing.assert_close(normalised(found), normalised(text), rtol=0, atol=1e-6)


def test_features_are_those_of_the_public_code(case, tmp_path):
    state, options, *expected = case
    convert(tmp_path, dict(model={f'module.module.{name}': value for name, value in state.items()}), options)
    check_features(encoder_of(tmp_path), tmp_path, *expected)


def test_forth_and_back_is_the_identity(case, tmp_path):
    state, options, *_ = case
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    converted = convert(tmp_path, state, options)
    resized = ['visual.positional_embedding'] if converted.layout == 'clip' else []
    names = revert_file(tmp_path / 'ours.pth', tmp_path / 'back.pth', converted.layout)
    back = load_checkpoint_file(tmp_path / 'back.pth')['model']
    assert list(back) == names
    assert sorted([*names, *converted.left_out]) == sorted(state)
    for name in set(names) - set(resized):
        assert torch.equal(back[name], state[name])


@pytest.mark.parametrize('layout', ['irra', 'tbps-clip'])
def test_plain_gelu_does_not_leave_for_code_that_computes_another_one(layout, tmp_path):
    state, options, *_ = case_irra(8)
    convert(tmp_path, state, options)
    stored = load_checkpoint_file(tmp_path / 'ours.pth')
    stored['state_dict']['text_stream.backbone.quick_gelu'] = torch.tensor(0)
    torch.save(dict(state_dict=stored['state_dict']), tmp_path / 'plain.pth')
    with pytest.raises(
        ValueError, match=rf'plain\.pth: What reads the layout {layout} .* \(text_stream\.backbone\.\*\)'
    ):
        revert_file(tmp_path / 'plain.pth', tmp_path / 'back.pth', layout)
    assert not (tmp_path / 'back.pth').exists()


def test_half_becomes_single_and_the_optimizer_stays_behind(tmp_path):
    state, options, *_ = case_irra(8)
    half = {name: value.half() if name.endswith('weight') else value for name, value in state.items()}
    convert(tmp_path, dict(model=half, optimizer=dict(state={0: torch.ones(5)}), epoch=3), options)
    ours = load_checkpoint_file(tmp_path / 'ours.pth')
    assert set(ours) == {'meta', 'state_dict'}
    assert {value.dtype for value in ours['state_dict'].values()} == {torch.float32, torch.int64}
    assert ours['meta']['origin']['file'] == 'theirs.pth'
    assert len(ours['meta']['origin']['sha256']) == 64


@pytest.mark.parametrize('name', ['RN50', 'ViT-B-32-quickgelu'])
def test_open_clips_models_give_what_open_clip_gives(name, tmp_path):
    """Any plain model of open_clip at its own size, from safetensors in a folder as it publishes them."""
    sizes = open_clip.get_model_config(name)
    sizes = {
        **sizes,
        'embed_dim': 64,
        'vision_cfg': {**sizes['vision_cfg'], 'width': 64, 'image_size': 64},
        'text_cfg': {**sizes['text_cfg'], 'width': 64, 'heads': 1, 'layers': 2},
    }
    sizes['vision_cfg']['layers'] = [1, 1, 1, 1] if name == 'RN50' else 2
    torch.manual_seed(0)
    sizes.pop('custom_text', None)
    sizes.pop('quick_gelu', None)
    model = open_clip.model.CLIP(**sizes, quick_gelu=True).eval()
    (tmp_path / 'folder').mkdir()
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()},
        tmp_path / 'folder' / 'open_clip_model.safetensors',
    )
    options = parse_options(['quick_gelu=true', 'input_size=64x64', 'mean=0,0,0', 'std=255,255,255'])
    convert_file(f'local-dir:{tmp_path / "folder"}', tmp_path / 'ours.pth', options=options)
    encoder = encoder_of(tmp_path)
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    sentences = ['a man in a red coat', 'a woman']
    with torch.no_grad():
        expected = model.encode_image(images / 255.0), model.encode_text(open_clip.tokenize(sentences))
    found = encoder.encode_images(write_images(tmp_path, images)), encoder.encode_texts(sentences)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, normalised(theirs), rtol=0, atol=2e-6)


def test_names_of_transformers_are_taken(tmp_path):
    state, options, *expected = case_clip()
    convert(tmp_path, huggingface_names(state, 2), [*options, 'quick_gelu=true'])
    check_features(encoder_of(tmp_path), tmp_path, *expected)


class EasyDict(dict):
    """What TBPS-CLIP's config is pickled as."""


EasyDict.__module__, EasyDict.__qualname__ = 'easydict', 'EasyDict'


def test_a_config_of_easydict_is_read_as_a_dictionary(tmp_path, monkeypatch):
    module = type(pytest)('easydict')
    module.EasyDict = EasyDict
    monkeypatch.setitem(__import__('sys').modules, 'easydict', module)
    state, options, *_ = case_tbps_clip('simplified')
    assert convert(tmp_path, dict(model=state, config=EasyDict(lr=1e-4)), options).layout == 'tbps-clip'
    with pytest.raises(ValueError, match='hold other objects'):
        convert(tmp_path, dict(model=state, config=Payload()), options)


class Payload:
    def __reduce__(self):
        return pickle.loads, (b'N.',)


def without(state, *names):
    return {key: value for key, value in state.items() if not key.endswith(names)}


@pytest.mark.parametrize(
    ('change', 'options', 'match'),
    [
        (lambda state: {**state, 'base_model.adapter.weight': torch.ones(2)}, ONE,
         r'1 of \d+ weights have no counterpart: base_model\.adapter\.weight'),
        (lambda state: without(state, 'visual.proj'), ONE, 'The tower lacks proj'),
        (lambda state: without(state, *(name for name in state if '.visual.transformer.resblocks.0' in name)), ONE,
         r'layers of the tower are \[1\]; some are missing'),
        (lambda state: state, [*ONE[:2], ONE[4]], r'do not tell the number of heads.*--option vision_heads=N'),
        (lambda state: state, [*ONE, 'input_size=40x16'], '12 positions are not those of images of 40 x 16'),
        (lambda state: {**state, 'base_model.visual.positional_embedding': torch.ones(15, 32)}, ONE,
         r'14 positions may be those of many input sizes.*input_size=HEIGHTxWIDTH'),
        (lambda state: {f'x.{key}': state[key] for key in state}, ONE, 'layout of these weights is not known'),
        (lambda state: {**state, 'base_model.transformer.lora_A.weight': torch.ones(2)}, ONE,
         'weights of LoRA adapters; merge them'),
        (lambda state: {'visual.trunk.blocks.0.x': torch.ones(2)}, ONE, 'SigLIP'),
        (lambda state: {'text_encoder.encoder.layer.0.x': torch.ones(2)}, ONE, 'cross encoder such as ALBEF'),
        (lambda state: {'blocks.0.attn.qkv.weight': torch.ones(2)}, ONE, 'an image backbone of timm'),
        (lambda state: {'visual.blocks.0.attn.q_proj.weight': torch.ones(2)}, ONE, 'EVA-CLIP'),
        (lambda state: without(case_clip()[0], 'input_resolution'), ONE, 'do not tell their activation'),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_told_in_a_sentence(change, options, match, tmp_path):
    state, *_ = case_irra(8)
    with pytest.raises(ValueError, match=match) as error:
        convert(tmp_path, change(state), options)
    assert 'theirs.pth' in str(error.value)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'ours.pth').exists()
    assert not (tmp_path / 'ours.py').exists()


@pytest.mark.parametrize(
    'text', ['size=3', 'input_size=384', 'input_size=0x4', 'quick_gelu=yes', 'mean=1,2', 'stride=-1']
)
def test_options_of_another_form_are_refused(text):
    with pytest.raises(ValueError, match=f'--option .{text}'):
        parse_options([text])


def test_the_config_is_all_that_an_evaluation_needs(tmp_path):
    state, options, *_ = case_tbps_clip('full')
    convert(tmp_path, state, options)
    config = Config.fromfile(tmp_path / 'ours.py')
    resize = config.test_dataloader.dataset.pipeline[1]
    assert (resize.scale, resize.backend, resize.interpolation) == ((32, 48), 'pillow', 'bicubic')
    assert config.test_dataloader.dataset.tokenizer.cleaning == 'tbps-clip'
    assert config.model.data_preprocessor.mean == pytest.approx([123.675, 116.28, 103.53])


@pytest.mark.parametrize('name', ['irra', 'rde, overlapping patches', 'tbps-clip, full', 'clip'])
def test_an_export_gives_the_features_of_the_public_code(name, tmp_path):
    """The graphs, run as any program may run them: the small vocabularies have no words for the tokenizer."""
    state, options, images, captions, end, image, text = CASES[name]()
    convert(tmp_path, state, options)
    encoder = encoder_of(tmp_path)
    ids, lengths = captions, (captions == end).int().argmax(dim=1) + 1
    loaded = torch.stack([encoder.image_loader(file) for file in write_images(tmp_path, images)])
    prepared = prepare_images(encoder.model.data_preprocessor, loaded)
    trace_graphs(encoder.model, tmp_path, prepared[:2], ids[:2], lengths[:2])
    graphs = [onnxruntime.InferenceSession(str(tmp_path / file)) for file in ('image.onnx', 'text.onnx')]
    for length in (int(lengths.max()), ids.shape[1]):
        inputs = {'tokens': ids[:, :length].numpy(), 'lengths': lengths.numpy()}
        found = torch.from_numpy(graphs[1].run(None, inputs)[0])
        torch.testing.assert_close(normalised(found), normalised(text), rtol=0, atol=1e-6)
    short = lengths.argmin()
    inputs = {'tokens': ids[short, None, : lengths[short]].numpy(), 'lengths': lengths[short, None].numpy()}
    found = torch.from_numpy(graphs[1].run(None, inputs)[0])
    torch.testing.assert_close(normalised(found), normalised(text[short, None]), rtol=0, atol=1e-6)
    found = torch.from_numpy(graphs[0].run(None, {'images': prepared.numpy()})[0])
    torch.testing.assert_close(normalised(found), normalised(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize('name', ['irra', 'tbps-clip, full'])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(1, 300), width=st.integers(1, 200), seed=st.integers(0, 99),
    kind=st.sampled_from(['RGB.png', 'L.png', 'RGB.bmp', 'RGB.jpg', 'L.jpg', 'RGB.webp']),
)  # fmt: skip
def test_the_image_path_is_pillows_bit_by_bit(name, height, width, seed, kind, loaders, tmp_path):
    load_image, size, interpolation = loaders[name]
    mode, suffix = kind.split('.')
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = tmp_path / f'odd.{suffix}'
    Image.fromarray(pixels).convert(mode).save(file)
    with Image.open(file) as opened:
        expected = np.asarray(opened.convert('RGB').resize(size, interpolation))
    found = load_image(str(file))
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.permute(1, 2, 0).numpy()[..., ::-1], expected)


@pytest.fixture(scope='module')
def loaders(tmp_path_factory):
    """Loading of images by the configs that go with two layouts, with size and interpolation of the authors."""
    found = {}
    for name, size, interpolation in (
        ('irra', (16, 48), Image.Resampling.BILINEAR), ('tbps-clip, full', (32, 48), Image.Resampling.BICUBIC),
    ):  # fmt: skip
        folder = tmp_path_factory.mktemp('loader')
        state, options, *_ = CASES[name]()
        convert(folder, state, options)
        found[name] = encoder_of(folder).image_loader, size, interpolation
    return found
