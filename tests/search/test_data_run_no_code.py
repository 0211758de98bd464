"""What a gallery, an export or a folder of shards says is parsed, never run."""

import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_search import PixelEncoder

from mmtbps.core.build_limit import FREE_NUMBERS, limited_building
from mmtbps.data_configs import ConfigReader, config_to_data, registered
from mmtbps.models import DualStreamRetriever
from mmtbps.registry import ENCODERS, INDEXES, MODELS, TRANSFORMS
from mmtbps.search import ModelEncoder, Searcher, VectorIndex, read_shard_set
from mmtbps.search.encoders.rebuild import rebuild_encoder
from mmtbps.search.generations import write_sealed


@pytest.fixture
def gallery(model_files, crops, tmp_path):
    """Folder of a gallery with the model in it."""
    searcher = Searcher.from_config(*model_files)
    searcher.index(crops, tmp_path / 'gallery', num_workers=0, progress=False)
    return tmp_path / 'gallery'


@pytest.fixture
def marker(tmp_path):
    """A file that code of a payload would create."""
    return tmp_path / 'marker'


@pytest.fixture
def evil(tmp_path, marker, monkeypatch):
    """A module that can be imported and marks that it was."""
    (tmp_path / 'evil_parts.py').write_text(f'open({str(marker)!r}, "w").close()\n')
    (tmp_path / 'evil').mkdir()
    (tmp_path / 'evil' / '__init__.py').write_text('')
    (tmp_path / 'evil' / 'registry.py').write_text(f'open({str(marker)!r}, "w").close()\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ('evil', 'evil_parts', 'evil.registry'):
        sys.modules.pop(name, None)


def change(file, *keys, to):
    """Set one value of a JSON file, as a stranger would, who writes a checksum that fits."""
    content = json.loads(file.read_text())
    sealed = content.pop('sha256', None)
    node = content
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = to
    if sealed is None:
        file.write_text(json.dumps(content))
    else:
        write_sealed(file, content)


def one_sentence(error):
    return '\n' not in str(error.value)


SHELL = 'touch {marker}'
PAYLOADS = {
    'index type': (['index'], dict(type='os.system', command=SHELL), r'index\.type is .os\.system.'),
    'index of another registry': (['index'], dict(type='ModelEncoder'), r'index\.type is .ModelEncoder.'),
    'index scope': (['index'], dict(type='evil.ExactIndex'), r'index\.type is .evil\.ExactIndex.'),
    'encoder type': (['encoder'], dict(type='os.system', command=SHELL), r'encoder\.type is .os\.system.'),
    'encoder config text': (
        ['encoder'],
        dict(type='ModelEncoder', config='import os\nos.system("{shell}")\n', checkpoint='{checkpoint}'),
        'encoder lacks',
    ),
    'encoder config file': (
        ['encoder'], dict(type='ModelEncoder', config='{folder}/evil_parts.py', checkpoint='{checkpoint}'), 'lacks',
    ),
    'custom_imports': (
        ['encoder', 'model', 'custom_imports'], dict(imports=['evil_parts']), r'model\.custom_imports .* refused',
    ),
    'modules': (['modules'], ['evil_parts'], r'the module evil_parts.*--trust evil_parts'),
    'modules that are none': (['modules'], 'evil_parts; x', 'list of names of modules'),
    'transform type': (
        ['encoder', 'pipeline', 0], dict(type='os.system', command=SHELL), r'pipeline\[0\]\.type is .os\.system.',
    ),
    'nested transform': (
        ['encoder', 'pipeline', 1], dict(type='RandomChoice', transforms=[dict(type='evil_parts')]), 'evil_parts',
    ),
    'scope of a transform': (
        ['encoder', 'pipeline', 0], dict(type='evil.LoadPersonImage'), r'pipeline\[0\]\.type is .evil\.Load',
    ),
    'dotted name behind a scope': (['encoder', 'pipeline', 0], dict(type='mmtbps.os.system'), r'mmtbps\.os\.system'),
    '_scope_': (['encoder', 'pipeline', 0], dict(type='Resize', _scope_='evil', scale=[8, 8]), '_scope_ is .* refused'),
    'dtype that MMPretrain evaluates': (
        ['encoder', 'pipeline', 1],
        dict(type='torchvision/ConvertImageDtype', dtype='float32 if __import__("os").system("{shell}") else 0'),
        r'pipeline\[1\]\.dtype .* refused',
    ),
    'tokenizer type': (['encoder', 'tokenizer'], dict(type='subprocess.getoutput', cmd=SHELL), r'tokenizer\.type is'),
    'model type': (['encoder', 'model'], dict(type='subprocess.getoutput', cmd=SHELL), r'model\.type is'),
    'a type that is no name': (['encoder', 'model', 'type'], ['os.system'], r'model\.type is'),
    'code of a hub': (
        ['encoder', 'model'], dict(type='HuggingFaceClassifier', model_name='a/b'), 'no registered model that data may',
    ),
    'weights by name': (['encoder', 'model', 'image_stream', 'pretrained'], True, r'pretrained is .True., .* refused'),
    'address': (['encoder', 'model', 'image_stream', 'weights'], 'https://evil/x.pth', 'is the address'),
    'layers without end': (
        ['encoder', 'model', 'image_stream', 'backbone', 'layers'], [1, 1_000_000, 1, 1],
        r'index\.json: encoder\.model asks for a model .*model\.pth cannot be of: it is too large .* 20000 modules',
    ),
    'a layer that fills the memory': (
        ['encoder', 'model', 'text_stream', 'neck', 'hidden_size'], 8_000_000, 'it is too large .* numbers',
    ),
    'images that fill the memory': (
        ['encoder', 'pipeline', 1, 'scale'], [40_000, 40_000], r'pipeline\[1\]\.scale .* no size of an image',
    ),
    'an edge that fills the memory': (
        ['encoder', 'pipeline', 1], dict(type='ResizeEdge', scale=40_000), r'pipeline\[1\]\.scale .* no size of an',
    ),
    'a number that is no size': (
        ['encoder', 'model', 'image_stream', 'backbone', 'layers'], [1, 10**9, 1, 1],
        r'backbone\.layers\[1\] is 1000000000, which is no size of a model',
    ),
    'depth': (['encoder', 'model', 'heads'], 'DEEP', 'more than 64 levels'),
}  # fmt: skip


def filled(value, **words):
    if isinstance(value, dict):
        return {key: filled(part, **words) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, **words) for part in value]
    for name, word in words.items():
        value = value.replace(f'{{{name}}}', word) if isinstance(value, str) else value
    return value


@pytest.mark.parametrize(('keys', 'payload', 'message'), PAYLOADS.values(), ids=PAYLOADS)
def test_a_gallery_runs_nothing(gallery, model_files, marker, evil, tmp_path, keys, payload, message):
    if payload == 'DEEP':
        payload = {}
        for _ in range(100):
            payload = dict(inner=payload)
    words = dict(marker=str(marker), shell=f'touch {marker}', checkpoint=str(model_files[1]), folder=str(tmp_path))
    change(gallery / 'index.json', *keys, to=filled(payload, **words))
    with pytest.raises(ValueError, match=message) as error:
        Searcher.load(gallery)
    assert one_sentence(error)
    assert 'index.json' in str(error.value)
    assert not marker.exists()


def test_models_of_data_are_counted_in_their_own_thread_and_only_while_they_are_built():
    with limited_building('index.json', 'model.pth', 0):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.empty, FREE_NUMBERS + 1, device='meta').result().numel() > FREE_NUMBERS
        for make in (
            lambda: torch.linspace(0, 1, FREE_NUMBERS + 1, device='meta'),
            lambda: torch.arange(FREE_NUMBERS + 1, device='meta'),
            lambda: torch.zeros(size=(2, FREE_NUMBERS), device='meta'),
        ):
            with pytest.raises(ValueError, match=r'index\.json asks for a model'):
                make()
    assert torch.empty(FREE_NUMBERS + 1, device='meta').numel() > FREE_NUMBERS


def test_initial_weights_of_a_gallery_are_not_loaded(gallery, marker):
    told = dict(type='Pretrained', checkpoint=str(marker))
    change(gallery / 'index.json', 'encoder', 'model', 'image_stream', 'backbone', 'init_cfg', to=told)
    assert len(Searcher.load(gallery)) == 12


def test_an_index_of_another_host_is_asked_for(gallery):
    change(gallery / 'index.json', 'index', to=dict(type='AddressedIndex', uri='http://evil:19530', token='x'))
    with pytest.raises(ValueError, match=r"index is at 'http://evil:19530'.*--index-options uri=ADDRESS") as error:
        Searcher.load(gallery)
    assert one_sentence(error)
    searcher = Searcher.load(gallery, index=dict(uri='http://mine:19530'))
    assert searcher.gallery.vectors.asked == ('http://mine:19530', None)


@INDEXES.register_module()
class AddressedIndex(VectorIndex):
    def __init__(self, uri=None, token=None):
        self.asked = (uri, token)

    def sync(self, store, folder):
        pass

    def find(self, store, queries, count, row_filter):
        raise NotImplementedError


def test_a_token_is_not_kept(crops, tmp_path):
    searcher = Searcher(PixelEncoder(), dict(type='AddressedIndex', uri='http://mine', token='secret'))
    searcher.index(crops, tmp_path / 'gallery', num_workers=0, progress=False)
    assert searcher.gallery.vectors.asked == ('http://mine', 'secret')
    assert 'secret' not in (tmp_path / 'gallery' / 'index.json').read_text()


@pytest.mark.parametrize('kind', ['absolute', 'above', 'link', 'no name'])
def test_files_of_a_gallery_stay_in_its_folder(gallery, tmp_path, kind):
    own = gallery / 'features' / '000000.safetensors'
    elsewhere = own.rename(tmp_path / 'elsewhere.safetensors')
    names = dict(absolute=str(elsewhere), above='../elsewhere.safetensors', link='features/000000.safetensors')
    if kind == 'link':
        own.symlink_to(elsewhere)
    change(gallery / 'index.json', 'shards', 0, 'file', to=names.get(kind, 7))
    with pytest.raises(ValueError, match='which is not in the folder') as error:
        Searcher.load(gallery)
    assert one_sentence(error)


def test_files_of_shards_stay_in_their_folder(tmp_path):
    (tmp_path / 'shards').mkdir()
    manifest = dict(format=2, encoder={}, modules=[], fingerprint={}, shards=[dict(file='../x', sha256='')])
    (tmp_path / 'shards' / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"names the file '\.\./x', which is not in the folder"):
        list(read_shard_set(tmp_path / 'shards'))


def test_an_older_gallery_is_refused(gallery):
    change(gallery / 'index.json', 'format', to=1)
    with pytest.raises(ValueError, match=r'format 1, this library reads 3\. Index again'):
        Searcher.load(gallery)


def test_deep_json_is_refused(gallery):
    (gallery / 'index.json').write_text('[' * 100_000)
    with pytest.raises(ValueError, match=r'index\.json .*cannot be read'):
        Searcher.load(gallery)


WARDROBE = """
from torch import nn
from mmtbps.models import DualStreamRetriever
from mmtbps.registry import MODELS

@MODELS.register_module()
class WardrobeRetriever(DualStreamRetriever):
    pass

class NobodysRetriever(DualStreamRetriever):
    pass
"""


def forget(module):
    """As in another process."""
    sys.modules.pop(module, None)
    MODELS.module_dict.pop('WardrobeRetriever', None)


@pytest.mark.parametrize('kind', ['WardrobeRetriever', 'class', 'wardrobe.NobodysRetriever'])
def test_classes_of_trusted_modules(model_files, crops, tmp_path, monkeypatch, kind):
    (tmp_path / 'wardrobe.py').write_text(WARDROBE)
    monkeypatch.syspath_prepend(tmp_path)
    config = Config.fromfile(model_files[0])
    config.custom_imports = dict(imports=['wardrobe'])
    wardrobe = importlib.import_module('wardrobe')

    try:
        config.model.type = wardrobe.NobodysRetriever if kind == 'class' else kind
        searcher = Searcher.from_config(config, model_files[1])
        searcher.index(crops, tmp_path / 'g', num_workers=0, progress=False)
        stored = json.loads((tmp_path / 'g' / 'index.json').read_text())
        assert stored['modules'] == ['wardrobe']
        assert stored['encoder']['model']['type'] == ('wardrobe.NobodysRetriever' if kind == 'class' else kind)
        forget('wardrobe')
        with pytest.raises(ValueError, match=r"module wardrobe.*--trust wardrobe \(trusted_modules=\['wardrobe'\]\)"):
            Searcher.load(tmp_path / 'g')
        assert 'wardrobe' not in sys.modules
        opened = Searcher.load(tmp_path / 'g', trusted_modules=['wardrobe'])
        assert opened.encoder.fingerprint == searcher.encoder.fingerprint
        assert type(opened.encoder.model).__name__ == kind.rpartition('.')[2].replace('class', 'NobodysRetriever')
        opened.index(crops, num_workers=0, progress=False)  # written again as it was
        again = json.loads((tmp_path / 'g' / 'index.json').read_text())
        assert (again['modules'], again['encoder']) == (stored['modules'], stored['encoder'])
    finally:
        forget('wardrobe')


def test_a_trusted_module_that_is_not_there(gallery):
    with pytest.raises(ImportError, match=r'The trusted module no_such_module cannot be imported .*PYTHONPATH'):
        Searcher.load(gallery, trusted_modules=['no_such_module'])


def test_however_a_class_is_named_the_fingerprint_is_the_same(model_files):
    expected = ModelEncoder(*model_files)
    dotted = f'{DualStreamRetriever.__module__}.DualStreamRetriever'
    for kind, scope in ((DualStreamRetriever, None), ('mmtbps.DualStreamRetriever', None), (dotted, None),
                        ('DualStreamRetriever', 'mmtbps')):  # fmt: skip
        config = Config.fromfile(model_files[0])
        config.model.type = kind
        if scope is not None:
            config.model._scope_ = config.test_dataloader.dataset.pipeline[1]._scope_ = scope
        encoder = ModelEncoder(config, model_files[1])
        assert encoder.fingerprint == expected.fingerprint
        assert encoder.describe() == expected.describe()
    manifest = json.loads(json.dumps(dict(encoder=expected.describe(), modules=expected.modules)))
    assert rebuild_encoder(manifest, 'index.json').fingerprint == expected.fingerprint


def test_what_json_has_no_word_for_is_refused_when_a_gallery_is_made(model_files):
    config = Config.fromfile(model_files[0])
    config.model.image_stream.norm = DualStreamRetriever
    with pytest.raises(TypeError, match=r'model\.image_stream\.norm is <class .*cannot be kept'):
        config_to_data(config.model, MODELS, 'model')


def test_lookup_finds_what_mmengine_finds():
    for registry in (MODELS, TRANSFORMS, ENCODERS):
        names = [*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())]
        for name in names:
            assert registered(registry, name) is registry.get(name)
    assert registered(MODELS, 'mmpretrain.ResNet') is MODELS.get('mmpretrain.ResNet')
    assert registered(MODELS, 'os.system') is None
    assert registered(MODELS, 'torch.nn.Linear') is None


OWN_REGISTRY = """
from mmengine.registry import Registry
from mmtbps import registry
MODELS = Registry('model', parent=registry.MODELS, scope='boutique', locations=['boutique.heads'])
"""


def test_a_trusted_package_brings_what_its_registry_would_import(tmp_path, monkeypatch):
    package = tmp_path / 'boutique'
    package.mkdir()
    (package / '__init__.py').write_text(OWN_REGISTRY)
    (package / 'heads.py').write_text('from . import MODELS\n\n@MODELS.register_module()\nclass Seam:\n    pass\n')
    monkeypatch.syspath_prepend(tmp_path)
    try:
        reader = ConfigReader('index.json', ['boutique'], ['boutique'])
        assert not MODELS.children['boutique'].module_dict
        assert reader.find('boutique.Seam', MODELS, 'head').__module__ == 'boutique.heads'
    finally:
        MODELS.children.pop('boutique', None)
        for name in ('boutique', 'boutique.heads'):
            sys.modules.pop(name, None)


CONFIGS = sorted(Path(__file__).parents[2].glob('configs/[!_]*/*.py'))


@pytest.mark.parametrize('file', CONFIGS, ids=lambda file: file.stem)
def test_every_config_of_ours_can_be_kept_and_read(file):
    config = Config.fromfile(file)
    data, modules = config_to_data(config.model, MODELS, 'model')
    assert modules == set()
    assert ConfigReader('index.json').read(json.loads(json.dumps(data)), MODELS, 'model', sizes=True) == data
    data, _ = config_to_data(config.test_dataloader.dataset.pipeline, TRANSFORMS, 'pipeline')
    assert ConfigReader('index.json').read(data, TRANSFORMS, 'pipeline') == data
