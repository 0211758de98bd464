import logging
from types import SimpleNamespace

import pytest

from mmtbps.datasets import WordTokenizer
from mmtbps.engine import DatasetMetaHook

WORDS = ['<pad>', '<unk>', 'red', 'coat']


class _Set:
    """What the hook asks of a data set."""

    ann_file = 'reid_raw.json'

    def __init__(self, split, words=None, person_ids=(3, 5)):
        self.split = split
        self.tokenizer = WordTokenizer(vocabulary=words)
        self.num_classes = len(person_ids)
        self.metainfo = dict(vocabulary=self.tokenizer.vocabulary, person_ids=list(person_ids))

    def set_vocabulary(self, words):
        self.tokenizer.set_vocabulary(words)


def make_runner(train=None, val=None, test=None, heads=None, resume=False, work_dir=None):
    def loop(dataset):
        return None if dataset is None else SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))

    return SimpleNamespace(
        _train_loop=loop(train),
        _val_loop=loop(val),
        _test_loop=loop(test),
        _resume=resume,
        work_dir=work_dir,
        train_dataloader=None if train is None else SimpleNamespace(dataset=train),
        model=SimpleNamespace(heads=heads or {}, modules=lambda: []),
        logger=logging.getLogger('test'),
    )


def test_training_words_reach_the_evaluation_sets():
    val = _Set('val')
    DatasetMetaHook().before_run(make_runner(train=_Set('train', WORDS), val=val))
    assert val.tokenizer.vocabulary == WORDS


def test_a_test_takes_the_words_of_the_checkpoint():
    test = _Set('test')
    DatasetMetaHook().after_load_checkpoint(make_runner(test=test), {'meta': {'dataset_meta': {'vocabulary': WORDS}}})
    assert test.tokenizer.vocabulary == WORDS


def test_identities_beyond_the_classes_of_a_head_are_an_error():
    runner = make_runner(train=_Set('train', WORDS), heads={'identity': SimpleNamespace(num_classes=1)})
    with pytest.raises(
        ValueError, match=r"_Set \(reid_raw\.json\) has 2 identities, but head 'identity' has 1 classes"
    ):
        DatasetMetaHook().before_train(runner)


def test_as_many_classes_as_identities_pass(tmp_path):
    heads = {'identity': SimpleNamespace(num_classes=2)}
    runner = make_runner(train=_Set('train', [*WORDS, 'ärmel', 'a\ud800']), heads=heads, work_dir=tmp_path)
    DatasetMetaHook().before_train(runner)
    assert (tmp_path / 'vocabulary.txt').read_text(encoding='utf-8') == '<pad>\n<unk>\nred\ncoat\närmel\na\\ud800\n'


def test_a_tokenizer_without_words_of_its_own_writes_no_words(tmp_path):
    DatasetMetaHook().before_train(make_runner(train=_Set('train'), work_dir=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'meta',
    [dict(vocabulary=[*WORDS, 'hat']), dict(vocabulary=[*WORDS[:2], 'coat', 'red']), dict(person_ids=[3, 6]), {}],
)
def test_a_resumed_run_must_have_the_same_words_and_identities(meta):
    runner = make_runner(train=_Set('train', WORDS), resume=True)
    with pytest.raises(ValueError, match=next(iter(meta), r'vocabulary \(none, now 4 entries\) and person_ids')):
        DatasetMetaHook().after_load_checkpoint(runner, {'meta': {'dataset_meta': meta}})


def test_equal_meta_data_pass():
    runner = make_runner(train=_Set('train', WORDS), resume=True)
    DatasetMetaHook().after_load_checkpoint(
        runner, {'meta': {'dataset_meta': dict(vocabulary=WORDS, person_ids=[3, 5])}}
    )
