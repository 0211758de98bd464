"""Captions that are exchanged on purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets import PersonCaptions
from mmtbps.datasets.caption_noise import add_caption_noise

ITEMS = [dict(image_id=index, person_id=index // 2, caption=f'caption {index}') for index in range(40)]


@given(rate=st.floats(0, 1), seed=st.integers(0, 99))
def test_captions_are_permuted_and_pairs_keep_the_rest(rate, seed):
    noisy = add_caption_noise(ITEMS, dict(rate=rate, seed=seed))

    assert sorted(item['caption'] for item in noisy) == sorted(item['caption'] for item in ITEMS)
    assert [(item['image_id'], item['person_id']) for item in noisy] == [(i, i // 2) for i in range(40)]
    moved = sum(new['caption'] != old['caption'] for new, old in zip(noisy, ITEMS, strict=True))
    assert moved <= round(rate * 40)
    assert noisy == add_caption_noise(ITEMS, dict(rate=rate, seed=seed))


def test_a_back_translation_goes_with_its_caption():
    items = [dict(caption='a', back_translation='A'), dict(caption='b'), dict(caption='c', back_translation='C')]
    noisy = add_caption_noise(items, dict(rate=1.0, seed=1))
    assert noisy != items
    translations = {item['caption']: item.get('back_translation') for item in noisy}
    assert translations == dict(a='A', b=None, c='C')


def test_nearly_all_of_the_chosen_ones_move():
    noisy = add_caption_noise(ITEMS, dict(rate=1.0))
    assert sum(new['caption'] != old['caption'] for new, old in zip(noisy, ITEMS, strict=True)) > 30


def test_a_permutation_from_a_file(tmp_path):
    np.save(tmp_path / 'noise.npy', np.roll(np.arange(40), 1))
    noisy = add_caption_noise(ITEMS, dict(file=str(tmp_path / 'noise.npy')))
    assert [item['caption'] for item in noisy] == ['caption 39', *(f'caption {i}' for i in range(39))]


@pytest.mark.parametrize('content', [np.zeros(40, np.int64), np.arange(39), b'no array', np.array(['a', None])])
def test_a_file_that_is_no_permutation_is_named(tmp_path, content):
    file = tmp_path / 'noise.npy'
    file.write_bytes(content) if isinstance(content, bytes) else np.save(file, content, allow_pickle=True)
    with pytest.raises(ValueError, match=r'caption_noise: .*noise\.npy'):
        add_caption_noise(ITEMS, dict(file=str(file)))


@pytest.mark.parametrize('noise', [{}, dict(rate=0.5, file='x.npy'), dict(share=0.5), dict(rate='0.2'), dict(rate=2.0)])
def test_settings_that_make_no_sense(noise):
    with pytest.raises(ValueError, match=r'rate|caption_noise'):
        add_caption_noise(ITEMS, noise)


def test_a_data_set_takes_it_for_training_alone(tmp_path):
    rows = ['image,caption,person_id,split', *(f'{i}.jpg,words {i},p{i},train' for i in range(20))]
    (tmp_path / 'table.csv').write_text('\n'.join(rows))
    settings = dict(ann_file='table.csv', data_root=str(tmp_path), check_images=False, caption_noise=dict(rate=1.0))
    captions = [item['caption'] for item in PersonCaptions(**settings)]

    assert sorted(captions) == sorted(f'words {i}' for i in range(20))
    assert captions != [f'words {i}' for i in range(20)]
    with pytest.raises(ValueError, match='for training'):
        PersonCaptions(test_mode=True, **settings)
