import copy
import hashlib
import json
import pickle
import zipfile

import pytest
import torch
from mmengine.model import BaseModule
from tiny_clip import IMAGE_ARCH, TEXT_ARCH, save_openai_archive, save_weights, tiny_clip
from torch import nn

from mmtbps.models import CLIPPretrainedInit, CLIPResNet, CLIPTextTransformer, CLIPViT
from mmtbps.models.clip.torchscript_archive import is_torchscript, read_torchscript_weights
from mmtbps.models.clip.weights import load_clip_weights
from mmtbps.registry import MODELS

FORMATS = [('a.pt', 'open_clip'), ('a.safetensors', 'open_clip'), ('a.bin', 'custom text'), ('a.pt', 'training')]
FORMATS += [('model.safetensors', 'transformers'), ('pytorch_model.bin', 'transformers')]
SIZE = (32, 32)


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    return save_openai_archive(tiny_clip(quick_gelu=True), tmp_path_factory.mktemp('openai') / 'ViT-tiny.pt')


def initialise(module_type, checkpoint, **kwargs):
    init_cfg = dict(type='mmtbps.CLIPPretrained', checkpoint=str(checkpoint), **kwargs.pop('init', {}))
    arch = dict(arch=TEXT_ARCH) if module_type is CLIPTextTransformer else dict(arch=IMAGE_ARCH, input_size=SIZE)
    tower = module_type(**{**arch, **kwargs}, init_cfg=init_cfg)
    tower.init_weights()
    return tower.eval()


def tokens_and_lengths():
    return torch.tensor([[49406, 320, 736, 49407], [49406, 736, 49407, 0]]), torch.tensor([4, 3])


@pytest.mark.parametrize(('name', 'layout'), FORMATS)
def test_every_format_gives_both_towers(tmp_path, name, layout):
    model = tiny_clip()
    path = save_weights(model, tmp_path / name, layout)
    images, (tokens, lengths) = torch.rand(2, 3, *SIZE), tokens_and_lengths()

    torch.testing.assert_close(initialise(CLIPViT, path)(images), model.encode_image(images))
    whole = nn.functional.pad(tokens, (0, 16))
    torch.testing.assert_close(
        initialise(CLIPTextTransformer, path)(tokens, lengths), model.encode_text(whole), atol=1e-6, rtol=1e-5
    )


def test_an_openai_archive_becomes_single_precision_with_quick_gelu(archive):
    model = tiny_clip(quick_gelu=True).half().float()
    images, (tokens, lengths) = torch.rand(2, 3, *SIZE), tokens_and_lengths()
    image_tower, text_tower = initialise(CLIPViT, archive), initialise(CLIPTextTransformer, archive)

    assert {parameter.dtype for parameter in image_tower.parameters()} == {torch.float32}
    assert image_tower.quick_gelu
    torch.testing.assert_close(image_tower(images), model.encode_image(images))
    whole = nn.functional.pad(tokens, (0, 16))
    torch.testing.assert_close(text_tower(tokens, lengths), model.encode_text(whole), atol=1e-6, rtol=1e-5)


def test_the_archive_reader_agrees_with_torch(archive):
    state = read_torchscript_weights(archive)
    reference = torch.jit.load(archive).state_dict()

    assert is_torchscript(archive)
    assert set(state) == set(reference) | {'attn_mask'}  # a buffer that is no weight
    for name, value in reference.items():
        assert state[name].dtype == value.dtype
        assert torch.equal(state[name], value)


@pytest.mark.parametrize('config', [True, False])
def test_the_config_beside_a_file_tells_the_activation(tmp_path, config):
    path = save_weights(tiny_clip(), tmp_path / 'open_clip_model.safetensors')
    model = dict(embed_dim=16, text_cfg={}, quick_gelu=config)
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=model)))

    assert bool(initialise(CLIPViT, path, quick_gelu=not config).quick_gelu) == config


@pytest.mark.parametrize('text', ['{', '[]', '{"model_cfg": 3}', '{"model_cfg": {"embed_dim": 4}}'])
def test_a_broken_config_beside_a_file_is_named(tmp_path, text):
    path = save_weights(tiny_clip(), tmp_path / 'a.pt')
    (tmp_path / 'open_clip_config.json').write_text(text)

    with pytest.raises(ValueError, match=r'open_clip_config\.json.* no.*Fetch it again'):
        load_clip_weights(path)


def test_a_name_tells_the_activation_and_silence_keeps_the_setting(tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'a.pt')

    assert initialise(CLIPViT, path, init=dict(model='ViT-B-32-quickgelu')).quick_gelu
    assert initialise(CLIPViT, path, quick_gelu=True).quick_gelu
    assert not initialise(CLIPViT, path, init=dict(model='ViT-B-32')).quick_gelu


def test_sizes_of_openai_tell_the_activation(tmp_path):
    state = {
        **tiny_clip().state_dict(),
        **dict.fromkeys(('input_resolution', 'context_length', 'vocab_size'), torch.tensor(1)),
    }
    torch.save(state, tmp_path / 'a.pt')

    assert initialise(CLIPTextTransformer, tmp_path / 'a.pt').quick_gelu


def test_image_positions_are_resized_bilinearly(tmp_path):
    model = tiny_clip()
    tower = initialise(CLIPViT, save_weights(model, tmp_path / 'a.pt'), input_size=(64, 16), stride=4)
    old, new = model.visual.positional_embedding, tower.positional_embedding
    maps = old[1:].reshape(4, 4, 32).permute(2, 0, 1)[None]
    expected = nn.functional.interpolate(maps, size=(15, 3), mode='bilinear', align_corners=False)[0]

    assert torch.equal(new[0], old[0])
    torch.testing.assert_close(new[1:].reshape(15, 3, 32), expected.permute(1, 2, 0))


def test_a_grid_of_as_many_patches_but_other_sides_is_resized(tmp_path):
    model = tiny_clip()
    tower = initialise(CLIPViT, save_weights(model, tmp_path / 'a.pt'), input_size=(64, 16))

    assert tower.positional_embedding.shape == model.visual.positional_embedding.shape
    assert not torch.allclose(tower.positional_embedding, model.visual.positional_embedding)


@pytest.mark.parametrize('length', [10, 39])
def test_text_positions_are_interpolated_linearly(tmp_path, length):
    model = tiny_clip()
    tower = initialise(CLIPTextTransformer, save_weights(model, tmp_path / 'a.pt'), context_length=length)
    old = model.positional_embedding
    places = ((torch.arange(length) + 0.5) * 20 / length - 0.5).clamp(0, 19)
    low = places.floor().long()
    weight = (places - low)[:, None]
    expected = (1 - weight) * old[low] + weight * old[(low + 1).clamp(max=19)]

    torch.testing.assert_close(tower.positional_embedding, expected, atol=1e-5, rtol=1e-5)


def test_resnet(tmp_path):
    model = tiny_clip(image_size=64, resnet=True)
    path = save_weights(model, tmp_path / 'a.safetensors')
    sizes = dict(layers=(1, 1, 1, 1), width=8, output_dim=16)
    init_cfg = dict(type='mmtbps.CLIPPretrained', checkpoint=str(path))
    tower = CLIPResNet(**sizes, input_size=(64, 64), last_stride=2, init_cfg=init_cfg)
    tower.init_weights()
    images = torch.rand(2, 3, 64, 64)

    torch.testing.assert_close(tower.eval()(images), model.encode_image(images))
    pedestrian = CLIPResNet(**sizes, input_size=(96, 32), last_stride=1, init_cfg=init_cfg)
    pedestrian.init_weights()
    assert pedestrian.attnpool.positional_embedding.shape == (1 + 6 * 2, 256)

    mean = dict(layers=(1, 1, 1, 1), width=8, pool='mean')
    with pytest.raises(ValueError, match=r'attnpool\.c_proj\.bias: only in the weights'):
        CLIPResNet(**mean, init_cfg=init_cfg).init_weights()
    CLIPResNet(**mean, init_cfg=dict(init_cfg, ignore=['attnpool.*'])).init_weights()


def test_inside_a_model_with_the_default_scope(tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'a.pt')

    class Model(BaseModule):
        def __init__(self):
            super().__init__()
            self.tower = MODELS.build(
                dict(
                    type='CLIPViT',
                    arch=IMAGE_ARCH,
                    input_size=SIZE,
                    init_cfg=dict(type='mmtbps.CLIPPretrained', checkpoint=str(path)),
                )
            )
            self.other = nn.Linear(2, 2)

    model = Model()
    model.init_weights()

    assert torch.equal(model.tower.proj, tiny_clip().visual.proj)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('visual.proj'), r'proj: only in the backbone'),
        (lambda s: s.update({'visual.head.weight': torch.ones(2)}), r'head\.weight: only in the weights'),
        (lambda s: s.update({'text_decoder.weight': torch.ones(2)}), r'text_decoder\.weight: only in the weights'),
        (lambda s: s.update({'visual.proj': torch.ones(32, 8)}), r'proj: \(32, 8\) in the weights, \(32, 16\) in the'),
    ],
)
def test_unmatched_names_and_shapes_are_errors(tmp_path, change, message):
    state = tiny_clip().state_dict()
    change(state)
    torch.save(state, tmp_path / 'a.pt')

    with pytest.raises(ValueError, match=message):
        initialise(CLIPViT, tmp_path / 'a.pt')
    if 'only' in message:
        name = message.split(':')[0].replace('\\', '')
        initialise(CLIPViT, tmp_path / 'a.pt', init=dict(ignore=[name]))


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'a.pt')

    with pytest.raises(ValueError, match=r"ignore=\['attnpool"):
        initialise(CLIPViT, path, init=dict(ignore=['attnpool.*']))


@pytest.mark.parametrize('name', ['a.pt', 'a.safetensors'])
def test_a_truncated_file(tmp_path, name, archive):
    whole = save_weights(tiny_clip(), tmp_path / name).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b'', b'<!doctype html>', archive.read_bytes()[:-100]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'(?s){name} cannot be read as CLIP weights.*fetch https.*ViT-B-16'):
            load_clip_weights(tmp_path / name, 'ViT-B-16')


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), 'w')


def test_a_pickle_with_anything_else_is_refused(tmp_path):
    torch.save({'visual.proj': Malicious(tmp_path / 'written')}, tmp_path / 'a.pt')
    (tmp_path / 'b.pt').write_bytes(pickle.dumps(Malicious(tmp_path / 'written')))

    for name in ('a.pt', 'b.pt'):
        with pytest.raises(ValueError, match='cannot be read') as caught:
            load_clip_weights(tmp_path / name)
        # torch would advise to load it nevertheless.
        assert 'weights_only' not in str(caught.value)
    assert not (tmp_path / 'written').exists()


def test_an_archive_with_anything_else_is_refused(tmp_path, archive):
    crafted = tmp_path / 'a.pt'
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(crafted, 'w') as new:
        for name in old.namelist():
            content = pickle.dumps(Malicious(tmp_path / 'written')) if name.endswith('/data.pkl') else old.read(name)
            new.writestr(name, content)

    with pytest.raises(ValueError, match=r'open, which plain weights do not need'):
        load_clip_weights(crafted)
    assert not (tmp_path / 'written').exists()


def test_wrong_files(tmp_path):
    torch.save({'epoch': 3, 'visual.proj': torch.ones(2)}, tmp_path / 'mixed.pt')
    torch.save({'backbone.weight': torch.ones(2)}, tmp_path / 'other.pt')

    with pytest.raises(ValueError, match=r"no plain weights: \['epoch'\]"):
        load_clip_weights(tmp_path / 'mixed.pt')
    with pytest.raises(ValueError, match=r"no visual tower of CLIP; its tensors begin with \['backbone'\]"):
        initialise(CLIPViT, tmp_path / 'other.pt')
    with pytest.raises(TypeError, match='not Linear'):
        CLIPPretrainedInit('nowhere.pt')(nn.Linear(2, 2))


def no_network(cfg, **kwargs):
    raise ConnectionError('name resolution failed')


def test_without_network_the_error_says_what_to_fetch(monkeypatch):
    monkeypatch.setattr('mmtbps.models.clip.weights.download_pretrained', no_network)

    with pytest.raises(
        FileNotFoundError,
        match=r'(?s)name resolution failed.*fetch https.*B-16\.pt.*set checkpoint.*~/\.cache/clip',
    ):
        load_clip_weights('openai', 'ViT-B-16')


def test_a_tag_finds_the_file_of_openai_s_own_package(monkeypatch, tmp_path, archive):
    content = archive.read_bytes()
    tag = dict(url=f'https://openaipublic.example/clip/models/{hashlib.sha256(content).hexdigest()}/ViT-B-16.pt')
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr(
        'mmtbps.models.clip.weights.get_pretrained_cfg', lambda model, name: dict(tag, hf_hub='nobody/nothing/')
    )
    path = tmp_path / '.cache' / 'clip' / 'ViT-B-16.pt'
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    assert str(path) in load_clip_weights('openai', 'ViT-B-16').source


def test_a_tag_is_downloaded_and_tells_the_activation(monkeypatch, tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'a.safetensors')
    asked = []
    monkeypatch.setattr(
        'mmtbps.models.clip.weights.download_pretrained', lambda cfg, prefer_hf_hub: asked.append(cfg) or str(path)
    )

    assert load_clip_weights('openai', 'ViT-B-16').quick_gelu is True
    assert load_clip_weights('laion2b_s34b_b88k', 'ViT-B-16').quick_gelu is False
    assert 'ViT-B-16.pt' in asked[0]['url']
    assert 'laion2B' in asked[-1]['hf_hub']


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (None, 'name the model as well'),
        ('ViT-B-16', r"its tags are \['openai'.*OpenAI's file is https.*set checkpoint to where"),
        ('ViT-B-17', "publishes no weights of a model 'ViT-B-17'"),
    ],
)
def test_neither_file_nor_tag(model, message):
    with pytest.raises(FileNotFoundError, match=message):
        load_clip_weights('open-ai', model)


def test_initialisation_leaves_the_config_alone(tmp_path):
    init_cfg = dict(type='mmtbps.CLIPPretrained', checkpoint=str(save_weights(tiny_clip(), tmp_path / 'a.pt')))
    before = copy.deepcopy(init_cfg)
    CLIPViT(IMAGE_ARCH, SIZE, init_cfg=init_cfg).init_weights()

    assert init_cfg == before


def test_a_file_of_transformers_that_lacks_weights_is_named(tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'pytorch_model.bin', 'transformers')
    state = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in state.items() if '.k_proj' not in name}, path)
    with pytest.raises(
        ValueError, match=r'pytorch_model\.bin has the names of the transformers library .* not q, k and v'
    ):
        initialise(CLIPViT, path)
