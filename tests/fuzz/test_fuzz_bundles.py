"""Exported models, encoders that a gallery describes, and tables of word vectors: altered in every part."""

import io
import json

import numpy as np
import pytest
import torch
from deploy.small_models import build_encoder
from fuzzing import JSON, REFUSED, TEXTS, altered_bytes, altered_json, as_json, attempt, fuzz
from hypothesis import strategies as st
from safetensors.torch import save

from mmtbps.datasets import WordTableTokenizer
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.deploy import ONNXEncoder, export_onnx
from mmtbps.search import ModelEncoder
from mmtbps.search.encoders.rebuild import rebuild_encoder


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """The folder of an export and the contents of its files."""
    root = tmp_path_factory.mktemp('exported')
    export_onnx(build_encoder(root / 'model', 'clip resnet, gru'), root / 'onnx')
    return root / 'onnx', {file.name: file.read_bytes() for file in (root / 'onnx').iterdir()}


def use(folder):
    """Open an export and encode with it."""
    encoder = ONNXEncoder(folder, num_threads=1)
    features = encoder.encode_texts(['a man in a red coat']), encoder.encode_images([np.zeros((30, 12, 3), np.uint8)])
    return torch.cat(features)


@fuzz(150, data=st.data())
def test_altered_exports(bundle, data):
    folder, files = bundle
    name = data.draw(st.sampled_from(['model.json', 'model.json', 'model.json', *sorted(files)]))
    if name == 'model.json' and data.draw(st.integers(0, 3)):
        content = as_json(data.draw(altered_json(json.loads(files[name]), most=2)))
    else:
        content = data.draw(altered_bytes(files[name]))
    try:
        (folder / name).write_bytes(content)
        features = attempt(lambda: use(folder), *files, 'onnx', 'pipeline', 'data_preprocessor')
        assert features is REFUSED or features.isfinite().all()
    finally:
        (folder / name).write_bytes(files[name])


@fuzz(100, data=st.data())
def test_altered_encoders_of_a_gallery(model_files, data):
    description = json.loads(json.dumps(described(model_files)))
    description = data.draw(altered_json(description, most=2))
    if isinstance(description, dict) and 'checkpoint' in description and data.draw(st.booleans()):
        description['checkpoint'] = str(model_files[1])
    encoder = attempt(
        lambda: rebuild_encoder(dict(encoder=description), 'g/index.json'), 'index.json', 'g', 'model.pth'
    )
    if encoder is not REFUSED and isinstance(encoder, ModelEncoder):
        attempt(lambda: encoder.encode_texts(['a man']), 'index.json', 'encoder')


def described(model_files, kept=[]):  # noqa: B006 - read once
    if not kept:
        kept.append(ModelEncoder(*model_files).describe())
    return kept[0]


TABLE = WordVectors(['a', 'man', 'coat'], torch.arange(12.0).view(3, 4), 'encoder', 'hash')
PARTS = ('words', 'vectors', 'encoder', 'encoder_hash')
ARRAYS = st.one_of(
    st.sampled_from(
        [np.zeros((3, 4), 'f2'), np.zeros(3), np.full((3, 4), np.nan), np.array(['a', 'a', 'b']), np.array(7)]
    ),
    st.lists(TEXTS.filter(lambda text: '\ud800' not in text), max_size=4).map(np.array),
    JSON.map(lambda value: np.array(json.dumps(value))),
)


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tables')
    for name in ('t.npz', 't.safetensors'):
        TABLE.save(folder / name)
    np.save(folder / 't.npy', TABLE.vectors.numpy())
    (folder / 'words.json').write_text(json.dumps(TABLE.words))
    return folder, {file.name: file.read_bytes() for file in folder.iterdir()}


def check(file, words=None):
    names = (file.name,) if words is None else (file.name, words.name)
    table = attempt(lambda: WordVectors.load(file, words), *names)
    if table is not REFUSED:
        assert table.vectors.shape[0] == len(table.words) == len(set(table.words))
        assert table.vectors.dtype == torch.float32
        assert all(isinstance(word, str) for word in table.words)
        tokenizer = WordTableTokenizer(str(file), None if words is None else str(words))
        if attempt(lambda: tokenizer.fit(['a man']), *names) is not REFUSED:
            words = set(tokenizer.vocabulary)
            assert {word for word in table.words if tokenizer.tokenize(word) == [word]} <= words


@fuzz(200, data=st.data())
def test_altered_tables_of_words(tables, data):
    folder, files = tables
    name = data.draw(st.sampled_from(['t.npz', 't.safetensors', 't.npy', 'words.json']))
    kind = data.draw(st.sampled_from(['bytes', 'parts']))
    content = files[name]
    if kind == 'bytes':
        content = data.draw(altered_bytes(content))
    elif name == 'words.json':
        content = as_json(data.draw(altered_json(list(TABLE.words))))
    elif name == 't.safetensors':
        header = {key: str(data.draw(JSON)) for key in data.draw(st.sets(st.sampled_from(PARTS)))}
        whole = dict(words=json.dumps(list(TABLE.words)), encoder='', encoder_hash='')
        content = save({'vectors': TABLE.vectors}, {**whole, **header}).replace(b'\x00\x00\x80\x7f', b'')
    elif name == 't.npz':
        arrays = dict(np.load(io.BytesIO(content))) | data.draw(
            st.dictionaries(st.sampled_from(PARTS), ARRAYS, max_size=2)
        )
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
    try:
        (folder / name).write_bytes(content)
        plain = name in ('t.npy', 'words.json')
        check(folder / ('t.npy' if plain else name), folder / 'words.json' if plain else None)
    finally:
        (folder / name).write_bytes(files[name])
