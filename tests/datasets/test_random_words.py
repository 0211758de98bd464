"""Random changes of captions and of their ids, and further views of the image."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets import (
    CUHKPEDES,
    IGNORED,
    AddImageView,
    AugmentTokens,
    BackTranslate,
    CLIPTokenizer,
    DeleteWords,
    MaskTokens,
    PersonCaptions,
    WordTokenizer,
)

TOKENIZER = CLIPTokenizer()
START, END, MASK = 49406, 49407, TOKENIZER.mask_id
WORDS = st.lists(st.integers(0, MASK - 1), max_size=75)


def caption_of(words):
    return dict(tokenizer=TOKENIZER, tokens=[[START, *words, END]])


@given(words=WORDS, prob=st.floats(0, 1), seed=st.integers(0, 999))
def test_masked_words_are_labelled_and_the_others_stay(words, prob, seed):
    random.seed(seed)
    view = MaskTokens(prob)(caption_of(words))['views']['masked']
    tokens = caption_of(words)['tokens'][0]

    assert len(view['tokens']) == len(view['labels']) == len(tokens)
    chosen = [place for place, label in enumerate(view['labels']) if label != IGNORED]
    assert chosen  # something is always to be predicted, also of an empty caption
    for place, (old, new) in enumerate(zip(tokens, view['tokens'], strict=True)):
        assert (view['labels'][place] == old) if place in chosen else (new == old)
    assert view['tokens'][0] == START


@given(words=WORDS, seed=st.integers(0, 999))
def test_the_caption_itself_is_masked_alike(words, seed):
    random.seed(seed)
    view = MaskTokens()(caption_of(words))['views']['masked']
    random.seed(seed)
    results = MaskTokens(in_place=True)(caption_of(words))
    assert results['tokens'] == [view['tokens']]
    assert results['views']['masked'] == dict(labels=view['labels'])


@given(words=WORDS, prob=st.floats(0, 1), seed=st.integers(0, 999))
def test_augmented_captions_keep_start_and_end(words, prob, seed):
    random.seed(seed)
    (tokens,) = AugmentTokens(prob)(caption_of(words))['tokens']
    assert (tokens[0], tokens[-1]) == (START, END)
    assert len(tokens) <= len(words) + 2
    assert all(0 <= token <= MASK for token in tokens[1:-1])


def test_shares_of_masked_replaced_and_removed_words():
    random.seed(0)
    words = list(range(1, 20001))
    view = MaskTokens(0.15)(caption_of(words))['views']['masked']
    chosen = [(new, label) for new, label in zip(view['tokens'], view['labels'], strict=True) if label != IGNORED]
    assert len(chosen) / len(words) == pytest.approx(0.15, abs=0.01)
    assert sum(new == MASK for new, _ in chosen) / len(chosen) == pytest.approx(0.8, abs=0.03)
    assert sum(new == label for new, label in chosen) / len(chosen) == pytest.approx(0.1, abs=0.02)
    (tokens,) = AugmentTokens(0.2)(caption_of(words))['tokens']
    assert 1 - (len(tokens) - 2) / len(words) == pytest.approx(0.2 * 0.2, abs=0.005)


@pytest.mark.parametrize('transform', [MaskTokens(), AugmentTokens()])
def test_what_is_missing_is_named(transform):
    with pytest.raises(ValueError, match='behind TokenizeCaption'):
        transform(dict(tokenizer=TOKENIZER))
    with pytest.raises(ValueError, match='mask_id, which WordTokenizer has not'):
        transform(dict(tokenizer=WordTokenizer(), tokens=[[2, 3]]))
    assert str(transform.prob) in repr(transform)


@given(words=st.lists(st.sampled_from(['red', 'coat', 'bag.', 'a', '!']), max_size=12), prob=st.floats(0, 1))
def test_deleted_words_leave_one_in_order(words, prob):
    tokenizer = CLIPTokenizer(cleaning='tbps-clip')
    given_words = tokenizer.clean(' '.join(words)).split()
    kept = DeleteWords(prob)(dict(tokenizer=tokenizer, caption=' '.join(words)))['caption'].split()
    rest = iter(given_words)
    assert all(word in rest for word in kept)
    assert bool(kept) == bool(given_words)
    assert repr(prob) in repr(DeleteWords(prob))


def test_back_translations_come_from_the_annotation(tmp_path):
    record = dict(file_path='1.jpg', id=1, split='train', captions=['a red coat', 'a bag', '  '])
    record['captions_bt'] = ['a coat that is red', '', 'x']
    (tmp_path / 'reid_raw.json').write_text(
        json.dumps([record, dict(record, file_path='2.jpg', captions_bt=['worn red', 'x', 'y'])])
    )
    with pytest.warns(UserWarning, match='blank'):
        items = list(CUHKPEDES(data_root=str(tmp_path), check_images=False))
    found = [item.get('back_translation') for item in items]
    assert found == ['a coat that is red', None, 'worn red', 'x']  # the same captions, others' translations

    always, never = BackTranslate(1.0), BackTranslate(0.0)
    assert [always(dict(item))['caption'] for item in items] == ['a coat that is red', 'a bag', 'worn red', 'x']
    assert [never(dict(item))['caption'] for item in items] == ['a red coat', 'a bag'] * 2
    assert repr(always) == 'BackTranslate(prob=1.0)'


def test_back_translations_of_images_that_windows_names(tmp_path):
    record = dict(file_path='cam\\1.jpg', id=1, split='train', captions=['a coat'], captions_bt=['one coat'])
    (tmp_path / 'reid_raw.json').write_text(json.dumps([record]))
    (tmp_path / 'imgs/cam').mkdir(parents=True)
    (tmp_path / 'imgs/cam/1.jpg').touch()
    (item,) = CUHKPEDES(data_root=str(tmp_path), check_images=False)
    assert item['img_path'].endswith('cam/1.jpg')
    assert item['back_translation'] == 'one coat'


def test_translations_that_do_not_fit_are_left_out(tmp_path):
    record = dict(file_path='1.jpg', id=1, split='train', captions=['a coat', 'a bag'], captions_bt='short')
    (tmp_path / 'reid_raw.json').write_text(json.dumps([record]))
    items = list(CUHKPEDES(data_root=str(tmp_path), check_images=False))
    assert not any('back_translation' in item for item in items)


def test_back_translations_of_a_table(tmp_path):
    (tmp_path / 'table.csv').write_text('image,caption,person_id,split,caption_bt\n1.jpg,a coat,p,train,one coat\n')
    (item,) = PersonCaptions(ann_file='table.csv', data_root=str(tmp_path), check_images=False)
    assert item['back_translation'] == 'one coat'


def test_a_view_has_transforms_of_its_own():
    add = AddImageView('second', [dict(type='RandomFlip', prob=1.0), dict(type='RandomErasingBox', prob=1.0)])
    image = np.arange(32 * 16 * 3, dtype=np.uint8).reshape(32, 16, 3)
    results = add(dict(img=image.copy(), views=dict(first={})))

    assert np.array_equal(results['img'], image)
    assert 'erased' not in results
    assert results['views'].keys() == {'first', 'second'}
    assert np.array_equal(results['views']['second']['img'], image[:, ::-1])
    assert len(results['views']['second']['erased']) == 4
    assert "name='second'" in repr(add)
