import pickle

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.datasets import CLIPTokenizer
from mmtbps.registry import TOKENIZER

WORDS = ' '.join(f'word{number}' for number in range(500))


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=['Cf', 'Cs'], exclude_characters='\ufe0e\ufe0f'), max_size=60),
    length=st.integers(2, 60),
)
def test_ids_are_those_of_open_clip(text, length):
    ids = CLIPTokenizer(length).encode(text)
    reference = open_clip.tokenize([text], length)[0]

    assert 2 <= len(ids) <= length
    assert torch.equal(torch.tensor(ids), reference[: len(ids)])
    # Padding the rest with pad_id gives open_clip's row.
    assert (reference[len(ids) :] == CLIPTokenizer.pad_id).all()


@pytest.mark.parametrize('text', ['', '   ', '\ud83d', 'ein Mädchen mit 👜, 红色', '<end_of_text> a man', WORDS])
def test_any_text_ends_with_the_end_token(text):
    ids = CLIPTokenizer().encode(text)

    assert ids[0] == 49406
    assert ids[-1] == 49407
    assert len(ids) <= 77


def test_a_long_text_is_cut_before_its_end():
    whole, cut = CLIPTokenizer(10_000).encode(WORDS), CLIPTokenizer(128).encode(WORDS)

    assert len(cut) == 128 < len(whole)
    assert cut == [*whole[:127], 49407]


def test_pieces_spell_the_words():
    assert ''.join(CLIPTokenizer().tokenize('A Turquoise t-shirt')) == 'a</w>turquoise</w>t</w>-</w>shirt</w>'


def test_size_and_vocabulary_are_fixed():
    tokenizer = TOKENIZER.build(dict(type='CLIPTokenizer'))
    tokenizer.fit(['a man'])

    assert tokenizer.vocab_size == 49408
    assert tokenizer.vocabulary is None
    with pytest.raises(ValueError, match='fixed vocabulary'):
        tokenizer.set_vocabulary(['<pad>', '<unk>', 'man'])


def test_a_copy_for_a_worker_is_small():
    assert len(pickle.dumps(CLIPTokenizer(99))) < 1000
    assert pickle.loads(pickle.dumps(CLIPTokenizer(99))).context_length == 99


def test_no_room_for_start_and_end():
    with pytest.raises(ValueError, match='context_length must be at least 2'):
        CLIPTokenizer(1)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60) | st.text(st.characters(max_codepoint=127), max_size=60), length=st.integers(2, 40))
def test_what_is_cut_off_is_counted(text, length):
    tokenizer = CLIPTokenizer(length)
    assert tokenizer.excess(text) == len(tokenizer.tokenize(text)) + 2 - len(tokenizer.encode(text))
