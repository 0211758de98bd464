import json
import os
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.datasets import Tokenizer, WordTokenizer
from mmtbps.datasets.unicode_text import plain_characters
from mmtbps.registry import TOKENIZER

TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(['a', 'Red', 't-shirt,', '—', 'é', '\u3000', '...'])).map(
    ' '.join
)
few = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('A man, in a red T-shirt.', ['a', 'man', 'in', 'a', 'red', 'tshirt']),
        ("The woman's bag (brown) isn't\tbig!", ['the', 'womans', 'bag', 'brown', 'isnt', 'big']),
        ('jeans/shorts & boots - new', ['jeansshorts', 'boots', 'new']),
        ('  Café «rouge»\u00a0naïve  ', ['café', 'rouge', 'naïve']),
        ("int x_1 = foo('a');", ['int', 'x1', 'fooa']),
        ('', []),
        (' \n ...', []),
    ],
)
def test_tokenize_examples(text, words):
    assert WordTokenizer().tokenize(text) == words


@few
@given(TEXTS)
def test_tokenize_equals_a_plain_loop_over_characters(text):
    text = plain_characters(text)
    words, word = [], ''
    for character in text.lower() + ' ':
        if character.isspace():
            words += [word] if word else []
            word = ''
        elif character not in string.punctuation:
            word += character
    assert WordTokenizer().tokenize(text) == words


@few
@given(TEXTS, st.integers(1, 8))
def test_encode_is_never_empty_and_cut(text, max_length):
    tokenizer = WordTokenizer(max_length=max_length, vocabulary=['<pad>', '<unk>', 'a', 'red', 'é'])
    ids = tokenizer.encode(text)
    assert 1 <= len(ids) <= max_length
    assert all(1 <= index < tokenizer.vocab_size for index in ids)


@pytest.mark.parametrize('length', [0, 1, 99, 100, 101, 500])
def test_encode_any_length(length):
    tokenizer = WordTokenizer(vocabulary=['<pad>', '<unk>', 'red'])
    assert tokenizer.encode('red ' * length) == ([2] * min(length, 100) or [tokenizer.unk_id])


@few
@given(st.lists(TEXTS, max_size=8), st.integers(1, 3), st.randoms(use_true_random=False))
def test_fit_orders_by_count_then_word_whatever_the_order(captions, min_count, rng):
    words = [word for caption in captions for word in WordTokenizer().tokenize(caption)]
    kept = [word for word in set(words) if words.count(word) >= min_count]
    kept.sort()
    kept.sort(key=words.count, reverse=True)
    shuffled = captions[:]
    rng.shuffle(shuffled)
    tokenizer = WordTokenizer(min_count=min_count)
    tokenizer.fit(shuffled)
    assert tokenizer.vocabulary == ['<pad>', '<unk>', *kept]
    assert tokenizer.vocab_size == len(kept) + 2
    for caption in captions:
        words = tokenizer.tokenize(caption)[:100]
        decoded = [tokenizer.vocabulary[index] for index in tokenizer.encode(caption)]
        assert decoded == ([word if word in kept else '<unk>' for word in words] or ['<unk>'])


def test_special_entries_are_no_words():
    tokenizer = WordTokenizer()
    tokenizer.fit(['<pad> <unk> <pad>'])
    assert tokenizer.vocabulary == ['<pad>', '<unk>', 'pad', 'unk']


def test_without_vocabulary_the_error_tells_the_remedy():
    with pytest.raises(RuntimeError, match='set_vocabulary'):
        WordTokenizer().encode('a man')
    with pytest.raises(RuntimeError, match='training set'):
        _ = WordTokenizer().vocab_size
    assert WordTokenizer().vocabulary is None


@pytest.mark.parametrize(
    'words',
    [[], ['a', 'b'], ['<unk>', '<pad>', 'a'], ['<pad>', '<unk>', 'a', 'a']],
    ids=['none', 'no', 'turned', 'twice'],
)
def test_malformed_vocabulary_is_refused(words):
    with pytest.raises(ValueError, match='vocabulary must begin with'):
        WordTokenizer(vocabulary=words)


def test_a_differing_vocabulary_is_refused_and_an_equal_one_welcome():
    tokenizer = WordTokenizer()
    tokenizer.fit(['a red bag'])
    tokenizer.set_vocabulary(tokenizer.vocabulary)
    with pytest.raises(ValueError, match='different'):
        tokenizer.set_vocabulary([*tokenizer.vocabulary, 'hat'])
    assert tokenizer.vocabulary == ['<pad>', '<unk>', 'a', 'bag', 'red']


@pytest.mark.parametrize('name', ['min_count', 'max_length'])
def test_bad_numbers_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} must be at least 1, got 0'):
        WordTokenizer(**{name: 0})


def test_registry_builds_it_and_refuses_misspelt_keys():
    assert TOKENIZER.build(dict(type='WordTokenizer', min_count=2)).min_count == 2
    with pytest.raises(TypeError, match='min_cuont'):
        TOKENIZER.build(dict(type='WordTokenizer', min_cuont=2))


def test_a_tokenizer_with_words_of_its_own_needs_little():
    class Bytes(Tokenizer):
        vocab_size = 257

        def tokenize(self, text):
            return list(text)

        def encode(self, text):
            return [byte + 1 for byte in text.encode()] or [1]

    tokenizer = Bytes()
    tokenizer.fit(['nothing to learn'])
    assert tokenizer.vocabulary is None
    assert tokenizer.pad_id == 0
    with pytest.raises(ValueError, match='Bytes has a fixed vocabulary'):
        tokenizer.set_vocabulary(['a'])


def test_words_equal_the_published_tokens_of_cuhk_pedes():
    path = os.environ.get('MMTBPS_CUHK_PEDES_CAPTIONS')
    if not path:
        pytest.skip('set MMTBPS_CUHK_PEDES_CAPTIONS to a split of reid_raw.json to compare with processed_tokens')
    with open(path, encoding='utf-8') as file:
        entries = json.load(file)
    tokenizer = WordTokenizer()
    # A published entry may have fewer token lists than captions, so only the first of each is compared.
    differing = [e['file_path'] for e in entries if tokenizer.tokenize(e['captions'][0]) != e['processed_tokens'][0]]
    assert not differing
    assert len(entries) > 0
