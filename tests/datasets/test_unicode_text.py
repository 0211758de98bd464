"""A sentence means the same however it is typed."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets import CLIPTokenizer, WordTokenizer
from mmtbps.datasets.unicode_text import plain_characters, without_invisible

TYPED = {
    'full-width comma and stop': 'a red coat\uff0cblack pants and white shoes\u3002',
    'ideographic comma': 'a red coat\u3001black pants and white shoes.',
    'full-width letters': 'a \uff52\uff45\uff44 coat, black pants and white shoes.',
    'curly quotes': 'a \u201cred\u201d coat, black pants and \u2018white\u2019 shoes.',
    'zero-width space': 'a red\u200b coat, black\u200bpants and white shoes.',
    'zero-width joiner': 'a red coat, bl\u200dack pants and white shoes.',
    'soft hyphen': 'a red coat, black pants and white sh\u00adoes.',
    'no-break space': 'a red\u00a0coat, black\u202fpants and white\u3000shoes.',
    'word joiner': 'a red coat, bl\u2060ack pants and white shoes.',
    'selectors of emojis': 'a red\ufe0f coat \u2764\ufe0f black pants and white\U000e0101 shoes',
    'frame of a key': 'a red coat, black\u20e3 pants and white\u034f shoes',
    'byte order mark': '\ufeffa red coat, black pants and white shoes.',
    'ellipsis': 'a red coat\u2026black pants and white shoes\u2026',
    'dashes': 'a red coat\u2014black pants\u2013and white shoes',
    'bullet and emoji': '\u2022 a red coat \U0001f9e5 black pants\U0001f456and white shoes',
}


@pytest.mark.parametrize('name', TYPED)
def test_words_are_those_of_the_sentence_in_ascii(name):
    expected = ['a', 'red', 'coat', 'black', 'pants', 'and', 'white', 'shoes']
    assert WordTokenizer().tokenize(TYPED[name]) == expected


def test_apostrophes_and_hyphens_stay_inside_words():
    tokenize = WordTokenizer().tokenize
    for typed in ('the man\u2019s T\u2011shirt', 'the man\u201bs T\ufe63shirt', 'the man\u02b9s T-\u2060shirt'):
        assert tokenize(typed) == tokenize("the man's T-shirt") == ['the', 'mans', 'tshirt']


@given(st.text(alphabet=string.printable))
def test_ascii_is_untouched(text):
    assert plain_characters(text) == without_invisible(text) == text


@given(st.text())
def test_nothing_is_left_to_do_for_a_second_time(text):
    found = plain_characters(text)
    assert plain_characters(found) == found
    assert not any(unicodedata.category(c)[0] in 'PSZC' and not c.isascii() for c in found)


def test_accents_stay():
    assert WordTokenizer().tokenize('Caf\u00e9-Besucher, na\u00efve') == ['caf\u00e9besucher', 'na\u00efve']


def test_clip_does_not_see_invisible_characters():
    tokenizer = CLIPTokenizer()
    assert tokenizer.encode('\ufeffa red\u200b co\u200dat\ufe0f') == tokenizer.encode('a red coat')
    assert tokenizer.encode('red\u200bcoat') == tokenizer.encode('red coat')


@pytest.mark.parametrize(
    'typed', ['a man, \u201cred\u201d.', 'a man, \u201ered\u201c\u3002', 'a man, \uff08red\uff09\uff01']
)
def test_a_cleaning_knows_the_punctuation_of_other_scripts(typed):
    tokenizer = CLIPTokenizer(cleaning='tbps-clip')
    assert tokenizer.encode(typed) == tokenizer.encode('a man, "red".')
