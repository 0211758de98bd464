"""Configs: those that are data, and whole ones with odd values."""

import copy
import json

import pytest
from fuzzing import JSON, NUMBERS, REFUSED, TEXTS, altered_json, attempt, fuzz
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_retriever import dual_stream_config

from mmtbps.data_configs import ConfigReader, config_to_data
from mmtbps.engine import check_config
from mmtbps.engine.data_sizes import resolve_data_sizes
from mmtbps.registry import INDEXES, MODELS, RERANKERS, TOKENIZER, TRANSFORMS

PIPELINE = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=[32, 32]),
    dict(type='TokenizeCaption'),
    dict(type='PackTBPSInputs'),
]
DATA = {
    'model': (MODELS, json.loads(json.dumps(dual_stream_config()))),
    'pipeline': (TRANSFORMS, PIPELINE),
    'tokenizer': (TOKENIZER, dict(type='WordTokenizer', min_count=1)),
    'index': (INDEXES, dict(type='FaissHNSW', neighbors=16)),
    'reranker': (RERANKERS, dict(type='NeighborJaccard', k=5)),
}
ODD = st.sampled_from(
    ['os.system', 'builtins.eval', 'mmtbps.X', 'mmpretrain.ResNet', 'torch.nn.Linear', 'http://x/y', 'file:///etc/passwd',
     'LoadPersonImage', 'DualStreamRetriever', '__import__("os")', '{{fileDirname}}', {'type': 'os.system'}]
)  # fmt: skip
KEYS = st.sampled_from(
    ['type', '_scope_', '_delete_', '_base_', 'init_cfg', 'pretrained', 'custom_imports', 'checkpoint_path', 'dtype']
)


@st.composite
def data_configs(draw):
    name = draw(st.sampled_from(sorted(DATA)))
    registry, value = DATA[name]
    value = draw(altered_json(value, most=2))
    if isinstance(value, dict) and draw(st.booleans()):
        value = {**value, draw(KEYS): draw(st.one_of(ODD, JSON))}
    return name, registry, value


@fuzz(350, config=data_configs())
def test_configs_that_are_data(config):
    name, registry, value = config
    read = attempt(lambda: ConfigReader('index.json').read(value, registry, name), 'index.json')
    if read is not REFUSED:
        again = ConfigReader('index.json').read(json.loads(json.dumps(read)), registry, name)
        assert json.dumps(again) == json.dumps(read)  # nan is not itself


@fuzz(150, modules=st.one_of(JSON, st.lists(st.sampled_from(['json', 'no_such', 'a b', '..', 'os.path']), max_size=3)))
def test_modules_that_data_ask_for(modules):
    reader = attempt(lambda: ConfigReader('index.json', modules), 'index.json')
    assert reader is REFUSED or reader.modules == list(modules)


@fuzz(200, config=data_configs())
def test_configs_that_become_data(config):
    name, registry, value = config
    init_default_scope('mmtbps')
    found = attempt(lambda: config_to_data(value, registry, name), name)
    if found is not REFUSED:
        data, modules = found
        assert json.dumps(json.loads(json.dumps(data))) == json.dumps(data)
        assert all(isinstance(module, str) for module in modules)


@pytest.fixture(scope='module')
def whole():
    """The toy config without its repetitions."""
    config = Config.fromfile('configs/cm_moco/cm-moco_tiny_toypedes.py')
    for name in ('val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator', 'custom_hooks', 'visualizer'):
        config.pop(name)
    for name in ('runtime_info', 'timer', 'sampler_seed', 'collapse', 'loader_workers', 'exact_resume'):
        config.default_hooks.pop(name)
    return config


def changed(config, places):
    """Set some values, each at one of the config's places."""
    config = copy.deepcopy(config)
    for number, (key, value) in places:
        nodes = list(_nodes(config))
        node = nodes[number % len(nodes)]
        names = sorted(node)
        node[key or names[number % len(names)] if names else 'x'] = value
    return config


def _nodes(node):
    if isinstance(node, dict | Config):
        yield node
    children = node.values() if isinstance(node, dict | Config) else node if isinstance(node, list | tuple) else ()
    for child in children:
        yield from _nodes(child)


PLACES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.tuples(
            st.sampled_from([None, None, 'type', 'vocab_sizes', 'train_cgf', 'dataset', 'num_classes', 'tokeniser']),
            st.one_of(NUMBERS, TEXTS, JSON, ODD, st.just(dict), st.just(print)),
        ),
    ),
    min_size=1, max_size=2,
)  # fmt: skip


@fuzz(150, places=PLACES)
def test_checks_of_whole_configs(whole, places):
    config = changed(whole, places)
    attempt(lambda: check_config(config), 'Config keys', 'Config')


@fuzz(100, places=PLACES)
def test_sizes_that_data_decide(whole, places):
    config = changed(whole, places)
    meta = dict(vocabulary=['<pad>', '<unk>', 'a'], person_ids=[1, 2])
    attempt(lambda: resolve_data_sizes(config, meta), 'model', 'config')
