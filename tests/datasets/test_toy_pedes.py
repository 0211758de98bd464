import hashlib
import json
import multiprocessing
import os
import runpy
import string
import time
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config

from mmtbps.datasets import toy_pedes
from mmtbps.datasets.toy_pedes import ToyPEDES, draw_toy_pedes
from mmtbps.registry import DATASETS
from mmtbps.toy import writer
from mmtbps.toy.lexicon import COLOR_WORDS, HAIR_NOUNS, HAIR_WORDS, NOUNS, PATTERN_WORDS, SUBJECTS
from mmtbps.toy.wording import HELD_OUT_WORDS, choose_words

ROOT = Path(__file__).parents[2]
SIZE = dict(num_train_ids=4, num_val_ids=2, num_test_ids=3, images_per_id=2)


def digest(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def annotation(root):
    return json.loads((root / 'reid_raw.json').read_text())


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    return draw_toy_pedes(tmp_path_factory.mktemp('toy') / 'toypedes', **SIZE)


def test_layout_is_cuhk_pedes(drawn):
    entries = annotation(drawn)
    assert len(entries) == 18
    for entry in entries:
        assert sorted(entry) == ['captions', 'file_path', 'id', 'processed_tokens', 'split']
        assert len(entry['captions']) == 2
        height, width = cv2.imread(str(drawn / 'imgs' / entry['file_path'])).shape[:2]
        assert 110 <= height <= 160
        assert 40 <= width <= 70
    assert len({entry['file_path'] for entry in entries}) == 18


def test_processed_tokens_are_lower_case_words_without_punctuation(drawn):
    table = str.maketrans('', '', string.punctuation)
    for entry in annotation(drawn):
        assert entry['processed_tokens'] == [text.lower().translate(table).split() for text in entry['captions']]


def test_splits_share_no_identity(drawn):
    ids = {split: {e['id'] for e in annotation(drawn) if e['split'] == split} for split in ('train', 'val', 'test')}
    assert [len(ids[split]) for split in ('train', 'val', 'test')] == [4, 2, 3]
    assert len(set.union(*ids.values())) == 9


def test_same_seed_same_bytes_and_other_seed_other_bytes(drawn, tmp_path):
    assert digest(draw_toy_pedes(tmp_path / 'again', **SIZE)) == digest(drawn)
    other = digest(draw_toy_pedes(tmp_path / 'other', **SIZE, seed=1))
    assert not set(other.values()) & set(digest(drawn).values())


def test_test_split_does_not_depend_on_the_size_of_the_others(drawn, tmp_path):
    larger = draw_toy_pedes(tmp_path / 'larger', **{**SIZE, 'num_train_ids': 6})
    captions = [[e['captions'] for e in annotation(root) if e['split'] == 'test'] for root in (drawn, larger)]
    assert captions[0] == captions[1]


def words_of(root, *splits):
    return {word for e in annotation(root) if e['split'] in splits for text in e['processed_tokens'] for word in text}


def test_unseen_words_are_in_test_captions_alone(tmp_path):
    sizes = dict(num_train_ids=60, num_val_ids=20, num_test_ids=40, images_per_id=1)
    unseen, seen = (draw_toy_pedes(tmp_path / words, **sizes, words=words) for words in ('unseen', 'seen'))
    assert not words_of(unseen, 'train', 'val') & HELD_OUT_WORDS
    assert not words_of(seen, 'train', 'val', 'test') & HELD_OUT_WORDS
    assert {'crimson', 'trousers', 'ebony', 'lady', 'tartan'} <= words_of(unseen, 'test')
    assert not {'red', 'black', 'man', 'woman', 'plaid', 'backpack'} & words_of(unseen, 'test')
    # Training is the very same, so that one model can be tested on either.
    captions = [[e['captions'] for e in annotation(root) if e['split'] == 'train'] for root in (unseen, seen)]
    assert captions[0] == captions[1]
    with pytest.raises(ValueError, match="words='unseen'"):
        draw_toy_pedes(unseen, **sizes)


def test_every_set_of_synonyms_keeps_a_seen_word():
    tables = [COLOR_WORDS, PATTERN_WORDS, SUBJECTS, HAIR_NOUNS, *HAIR_WORDS.values(), *NOUNS.values()]
    for options in (options for table in tables for options in table.values()):
        kept = choose_words(options, 'seen')
        assert HELD_OUT_WORDS.isdisjoint(' '.join(kept).split())
        assert set(kept) <= set(options)
        assert choose_words(options, 'all') == options


def test_unseen_synonyms_stand_alone():
    assert choose_words(COLOR_WORDS['yellow'], 'unseen') == ('lemon', 'mustard')
    assert choose_words(NOUNS['hat']['cap'], 'unseen') == NOUNS['hat']['cap']


def test_captions_change_with_the_version_alone(drawn):
    spec = json.loads((drawn / writer.SPEC_FILE).read_text())
    assert spec == dict(SIZE, seed=0, version=2)
    joined = hashlib.sha256('\n'.join(caption for e in annotation(drawn) for caption in e['captions']).encode())
    assert joined.hexdigest()[:16] == 'ed07194de76b2d9d'


def test_drawn_data_are_kept(drawn):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob('*')}
    draw_toy_pedes(drawn, **SIZE)
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob('*')} == before


def test_interrupted_drawing_leaves_nothing_that_counts(drawn, tmp_path, monkeypatch):
    root, calls, write = tmp_path / 'toypedes', [], writer._write_identity

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return write(*args)

    monkeypatch.setattr(writer, '_write_identity', interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_toy_pedes(root, **SIZE)
    assert not root.exists()
    stray = tmp_path / '.toypedes.unfinished' / 'imgs' / 'stray.jpg'
    assert stray.parent.is_dir()
    stray.write_bytes(b'left over')
    draw_toy_pedes(root, **SIZE)
    assert digest(root) == digest(drawn)
    assert not stray.parent.exists()


def _draw_slowly(root, results):
    write = writer._write

    def slowly(folder, spec, tokenize):
        results.put(os.getpid())
        time.sleep(0.5)
        write(folder, spec, tokenize)

    writer._write = slowly
    draw_toy_pedes(root, **SIZE)
    results.put(len(annotation(root)))


def test_two_processes_draw_once(drawn, tmp_path):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [context.Process(target=_draw_slowly, args=(tmp_path / 'toypedes', results)) for _ in range(2)]
    for process in processes:
        process.start()
    messages = [results.get(timeout=60) for _ in range(3)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sum(message in [p.pid for p in processes] for message in messages) == 1
    assert messages.count(18) == 2
    assert digest(tmp_path / 'toypedes') == digest(drawn)


def test_another_spec_is_an_error(drawn):
    with pytest.raises(ValueError, match=r'num_train_ids=4.*num_train_ids=5.*another data_root'):
        draw_toy_pedes(drawn, **{**SIZE, 'num_train_ids': 5})


def test_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / 'reid_raw.json').write_text('[]')
    with pytest.raises(ValueError, match='something else than a ToyPEDES'):
        draw_toy_pedes(tmp_path, **SIZE)
    assert (tmp_path / 'reid_raw.json').read_text() == '[]'


def test_folder_without_its_annotation_is_an_error(tmp_path):
    root = draw_toy_pedes(tmp_path / 'toypedes', **SIZE)
    (root / writer.SPEC_FILE).unlink()
    with pytest.raises(ValueError, match=r'toypedes\.json'):
        draw_toy_pedes(root, **SIZE)


@pytest.mark.parametrize(
    ('name', 'value'),
    [('num_train_ids', 0), ('images_per_id', 1.5), ('seed', -1), ('num_test_ids', True), ('words', 'some')],
)
def test_numbers_out_of_range_are_errors(tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        draw_toy_pedes(tmp_path / 'toypedes', **{**SIZE, name: value})


def test_dataset_draws_and_reads(tmp_path, drawn):
    cfg = dict(type='ToyPEDES', data_root=str(tmp_path / 'toypedes'), drawing=SIZE)
    train = DATASETS.build(cfg)
    test = DATASETS.build(dict(cfg, split='test', test_mode=True))
    assert isinstance(train, ToyPEDES)
    assert (len(train), train.num_classes, len(test)) == (16, 4, 6)
    assert [len(test.get_data_info(i)['captions']) for i in range(6)] == [2] * 6
    assert digest(tmp_path / 'toypedes') == digest(drawn)


def test_a_drawn_data_set_of_any_size_is_read_unless_one_is_asked_for(drawn):
    assert len(ToyPEDES(data_root=str(drawn), split='test', test_mode=True)) == 6
    with pytest.raises(ValueError, match='is asked for'):
        ToyPEDES(data_root=str(drawn), drawing=dict(SIZE, seed=1))


def test_without_a_size_the_default_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(toy_pedes, 'draw_toy_pedes', lambda root: draw_toy_pedes(root, **SIZE))
    assert len(ToyPEDES(data_root=str(tmp_path / 'toypedes'))) == 16


def test_the_tool_draws_what_the_configs_ask_for():
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/toypedes.py')
    assert writer.ToySpec(**config.train_dataloader.dataset.drawing) == writer.ToySpec()
    tool = runpy.run_path(str(ROOT / 'tools/dataset_tools/draw_toypedes.py'))
    assert writer.ToySpec(**{n: v for n, v in vars(tool['parse_args']([])).items() if n != 'root'}) == writer.ToySpec()


def test_drawn_data_are_read_without_a_lock(drawn):
    lock = drawn.with_name(f'.{drawn.name}.lock')
    lock.unlink()
    draw_toy_pedes(drawn, **SIZE)
    assert not lock.exists()


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='such a folder is one of Linux')
def test_a_place_that_takes_no_files_is_refused_before_its_lock_is_waited_for(monkeypatch):
    monkeypatch.delattr(writer, 'FileLock')  # it would wait without end
    with pytest.raises(OSError, match=r'cannot be drawn into /proc/x: /proc takes no new files .*another data_root'):
        draw_toy_pedes('/proc/x')


def test_lazy_dataset_draws_nothing(tmp_path):
    ToyPEDES(data_root=str(tmp_path / 'toypedes'), drawing=SIZE, lazy_init=True)
    assert not (tmp_path / 'toypedes').exists()
