import pytest

from mmtbps.datasets import RSTPReid

ODD_CAPTIONS = [
    'The man wears a coat.</p><br/>{"x": 1}; print(\'hat\')',
    '一个男人 in a blue coat — très élégant 👟',
    '\u2028separators\u2029 and\ttabs\n',
    'a lone surrogate \ud83d',
]


@pytest.fixture
def root(tmp_path, write_json):
    entries = [
        dict(id=index, img_path=f'{index:04d}.png', captions=[caption, 'A person.'], split=split)
        for index, (caption, split) in enumerate(zip(ODD_CAPTIONS, ('train', 'train', 'val', 'test'), strict=True))
    ]
    return write_json(tmp_path, entries, name='data_captions.json', path_key='img_path')


def test_splits(root):
    sizes = {
        split: len(RSTPReid(data_root=str(root), split=split, test_mode=True)) for split in ('train', 'val', 'test')
    }
    assert sizes == dict(train=2, val=1, test=1)


def test_odd_captions_survive(root):
    found = []
    for split in ('train', 'val', 'test'):
        dataset = RSTPReid(data_root=str(root), split=split)
        captions = [dataset.get_data_info(index)['caption'] for index in range(len(dataset))]
        assert captions[1::2] == ['A person.'] * len(captions[1::2])
        found += captions[::2]
        for caption in captions:
            words = dataset.metainfo['vocabulary']
            assert [words[i] for i in dataset.tokenizer.encode(caption)] == dataset.tokenizer.tokenize(caption)
    assert found == ODD_CAPTIONS


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'data_captions\.json does not exist\. RSTPReid needs'):
        RSTPReid(data_root=str(tmp_path))


def test_published_statistics_are_those_of_the_whole():
    assert [sum(column) for column in zip(*RSTPReid.statistics.values(), strict=True)] == [4101, 20505, 41010]
