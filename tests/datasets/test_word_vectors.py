import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from mmtbps.datasets.word_vectors import WordVectors

WORD = st.text(st.characters(exclude_categories=['Z', 'C']), min_size=1, max_size=8)


@pytest.mark.parametrize('suffix', ['.npz', '.safetensors'])
@settings(max_examples=20, deadline=None)
@given(words=st.lists(WORD, unique=True, max_size=6), dimension=st.integers(1, 5))
def test_what_is_saved_is_loaded(tmp_path_factory, suffix, words, dimension):
    path = tmp_path_factory.mktemp('table') / f'table{suffix}'
    vectors = torch.randn(len(words), dimension)
    WordVectors(words, vectors, 'CLIP openai', 'ab12').save(path)
    table = WordVectors.load(path)

    assert list(table.words) == words
    assert torch.equal(table.vectors, vectors)
    assert (table.encoder, table.encoder_hash) == ('CLIP openai', 'ab12')


def test_files_open_without_this_project(tmp_path):
    table = WordVectors(['red', 'grün'], torch.eye(2), 'name', 'hash')
    table.save(tmp_path / 'a.npz')
    table.save(tmp_path / 'a.safetensors')

    arrays = np.load(tmp_path / 'a.npz', allow_pickle=False)
    assert arrays['words'].tolist() == ['red', 'grün']
    assert (str(arrays['dimension']), arrays['vectors'].dtype) == ('2', np.float32)
    assert torch.equal(load_file(tmp_path / 'a.safetensors')['vectors'], torch.eye(2))


@pytest.mark.parametrize('name', ['words.txt', 'words.json'])
def test_a_plain_array_with_its_words(tmp_path, name):
    np.save(tmp_path / 'clip_vocab_vit.npy', np.arange(6, dtype=np.float64).reshape(3, 2))
    words = ['a', 'man', 'red']
    (tmp_path / name).write_text(json.dumps(words) if name.endswith('json') else '\n'.join(words) + '\n')
    table = WordVectors.load(tmp_path / 'clip_vocab_vit.npy', tmp_path / name)

    assert list(table.words) == words
    assert table.vectors.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert table.encoder_hash == ''


def test_an_array_and_words_that_do_not_fit(tmp_path):
    np.save(tmp_path / 'a.npy', np.ones((3, 2)))
    (tmp_path / 'words.txt').write_text('a man')
    (tmp_path / 'words.json').write_text('{"a": 1}')
    WordVectors(['a'], torch.ones(1, 2)).save(tmp_path / 'a.npz')

    with pytest.raises(ValueError, match='2 words needs as many vectors'):
        WordVectors.load(tmp_path / 'a.npy', tmp_path / 'words.txt')
    with pytest.raises(ValueError, match='not hold a list of words'):
        WordVectors.load(tmp_path / 'a.npy', tmp_path / 'words.json')
    with pytest.raises(ValueError, match='needs a file with the word of every row'):
        WordVectors.load(tmp_path / 'a.npy')
    with pytest.raises(ValueError, match='bring their own words'):
        WordVectors.load(tmp_path / 'a.npz', tmp_path / 'words.txt')


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{'a': 1}], dtype=object))
    (tmp_path / 'words.txt').write_text('a')

    with pytest.raises(ValueError, match='no word table'):
        WordVectors.load(tmp_path / 'a.npy', tmp_path / 'words.txt')


@pytest.mark.parametrize('suffix', ['.npz', '.safetensors'])
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    with pytest.raises(FileNotFoundError, match='build_word_table'):
        WordVectors.load(path)
    WordVectors(['a', 'b'], torch.ones(2, 3)).save(path)
    whole = path.read_bytes()
    for content in (whole[:-30], whole[:4], b''):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f'a{suffix} is no word table'):
            WordVectors.load(path)


@pytest.mark.parametrize(
    ('words', 'vectors', 'message'),
    [
        (['a', 'a'], torch.ones(2, 2), r"more than once: \['a'\]"),
        (['a'], torch.ones(2, 2), 'as many vectors'),
        (['a'], torch.ones(1), 'as many vectors'),
        (['a'], torch.tensor([[float('nan')]]), 'undefined'),
    ],
)
def test_inconsistent_tables(words, vectors, message):
    with pytest.raises(ValueError, match=message):
        WordVectors(words, vectors)


def test_an_ending_without_a_format(tmp_path):
    with pytest.raises(ValueError, match=r'\.npz or \.safetensors'):
        WordVectors(['a'], torch.ones(1, 1)).save(tmp_path / 'a.txt')
