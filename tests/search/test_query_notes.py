"""Sentences in words that a model does not know."""

import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_search import WORDS, PixelEncoder, write_model

from mmtbps.datasets import CLIPTokenizer, WordTokenizer
from mmtbps.search import ModelEncoder
from mmtbps.search.query_notes import note_on

PHRASES = ['a red coat', 'cargo pants', 'a turquoise crossbody bag', 'espadrilles', 'a polka-dot T-shirt', 'curly hair']
VOCABULARY = [*WORDS[:2], 'a', 'the', 'woman', 'wearing', 'jacket', 'trousers', 'backpack', 'with', 'red', 'shoes']


def encoder_of(tokenizer, data_set='CUHK-PEDES'):
    encoder = PixelEncoder()
    encoder.tokenizer, encoder.data_set = tokenizer, data_set
    return encoder


WORD_ENCODER = encoder_of(WordTokenizer(vocabulary=VOCABULARY, max_length=12))


def test_known_words_need_no_notes():
    notes = note_on(WORD_ENCODER, 'The woman with a red jacket.')
    assert (dict(notes.unknown), notes.warnings, notes.lines) == ({}, [], [])
    assert note_on(PixelEncoder(), 'whatever one types').lines == []


LONG = [word for word in VOCABULARY[2:] if len(word) > 2]


def swapped(word):
    return {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}


@given(st.sampled_from(LONG), st.data())
@settings(deadline=None)
def test_a_word_with_two_letters_swapped_is_suggested(word, data):
    place = data.draw(st.integers(0, len(word) - 2))
    typed = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    notes = note_on(WORD_ENCODER, f'a {typed} with red shoes')
    if typed in VOCABULARY:
        assert notes.unknown == {}
        return
    ((unknown, meant),) = notes.unknown.items()
    assert (unknown, meant in swapped(typed)) == (typed, True)
    assert notes.lines == [f'words that the model does not know: {typed} (did you mean {meant}?)']


@given(st.text(string.ascii_lowercase, min_size=1, max_size=60))
@settings(deadline=None)
def test_suggestions_are_words_of_the_model(word):
    for meant in note_on(WORD_ENCODER, word).unknown.values():
        assert meant is None or set(meant.split()) <= set(VOCABULARY)


def test_two_words_written_as_one_are_suggested_and_refusals_have_suggestions():
    assert note_on(WORD_ENCODER, 'a womanwearing').unknown == {'womanwearing': 'woman wearing'}
    with pytest.raises(ValueError, match=r'knows no word: wmoan \(did you mean woman\?\), xyzzy\. '):
        WORD_ENCODER.require_known_words(['wmoan xyzzy'])


@pytest.mark.parametrize(
    'sentence', ['eine Frau with rotem Mantel und Tasche', 'une femme en manteau a rouge', '一个 女人 穿 红 a']
)
def test_another_language_is_told_what_the_model_was_trained_on(sentence):
    (warning,) = note_on(WORD_ENCODER, sentence).warnings
    assert 'WARNING: the model does not know' in warning
    assert 'trained on captions of CUHK-PEDES, whose most frequent words are a, the, woman, wearing' in warning


CLIP_ENCODER = encoder_of(CLIPTokenizer(), '')


@pytest.mark.parametrize(
    'sentence',
    ['a woman in red', 'man, red jacket, blue jeans, white shoes', 'ein Mann', 'The man wears a lungi and kolhapuris.'],
)
def test_a_model_of_pieces_knows_all_english_words(sentence):
    assert note_on(CLIP_ENCODER, sentence).lines == []


@pytest.mark.parametrize(
    'sentence',
    [
        '一个穿红色外套的女人', 'женщина', 'ein Mann mit Rucksack', 'une femme en manteau rouge avec un sac noir',
        'una mujer con abrigo rojo', 'een vrouw met een rode jas en een zwarte tas', 'uomo con giacca nera',
    ],
)  # fmt: skip
def test_another_language_is_told_by_a_model_of_pieces(sentence):
    (warning,) = note_on(CLIP_ENCODER, sentence).warnings
    assert warning.endswith('does not look like English. The model was trained on English captions.')


@given(st.lists(st.sampled_from(PHRASES), min_size=1, max_size=6))
@settings(deadline=None)
def test_drawn_sentences_are_english(words):
    assert note_on(CLIP_ENCODER, f'a person with {" and ".join(words)}').lines == []


def test_what_is_cut_off_is_told():
    (warning,) = note_on(WORD_ENCODER, 'the woman ' * 7).warnings
    assert 'the last 2 of 14 words are not read' in warning


def test_sentences_without_a_known_word_are_refused_with_what_the_model_knows(tmp_path):
    torch.set_num_threads(1)
    encoder = ModelEncoder(*write_model(tmp_path / 'model'), 'cpu')
    with pytest.raises(ValueError, match=r'knows no word.* trained on captions, whose .*words are a, man, woman'):
        encoder.require_known_words(['ein Mädchen'])
