"""Any data set with any checkpoint, on a few images in the layouts of the four data sets."""

import importlib
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from stand_ins import LAYOUTS
from tiny_checkpoint import CONFIG, write_checkpoint

import mmtbps
from mmtbps.apis.options import use_test_set
from mmtbps.apis.transfer import Transfer, format_transfers, run_transfers
from mmtbps.datasets import CUHKPEDES, WordTokenizer
from mmtbps.datasets.vocabulary import UnknownWords, count_unknown_words
from mmtbps.zoo import read_config

ROOT = Path(mmtbps.__file__).parents[1]
TOOLS = ROOT / 'tools' / 'analysis_tools'
KNOWN = 'a man in'
NAMES = ['CUHK-PEDES', 'ICFG-PEDES', 'RSTPReid', 'ToyPEDES']


@pytest.fixture
def sources(tmp_path, write_json):
    """Configs of four test sets: three persons with two images, one caption each of 6 words; 3 are known."""
    configs = []
    for kind, (annotation, key, _) in LAYOUTS.items():
        root = tmp_path / kind
        root.mkdir()
        entries = [
            dict(id=person, split=split, captions=[f'A man in {kind} number{person} view{view}.'])
            | {key: f'{split}_{person}_{view}.png'}
            for split in ('train', 'test')
            for person in range(3)
            for view in range(2)
        ]
        write_json(root, entries, name=annotation, path_key=key)
        settings = dict(num_val_ids=0) if kind == 'ICFGPEDES' else {}
        configs.append(dict(type=kind, data_root=str(root), split='test', test_mode=True, **settings))
    drawing = dict(num_train_ids=1, num_val_ids=1, num_test_ids=3)
    toy = dict(type='ToyPEDES', data_root=str(tmp_path / 'toy'), drawing=drawing, split='test', test_mode=True)
    files = []
    for dataset in [*configs, toy]:
        file = tmp_path / f'{dataset["type"]}.py'
        file.write_text(f'test_dataloader = dict(dataset={dataset!r})')
        files.append(str(file))
    return files


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    one = write_checkpoint(tmp_path / 'one.pth', KNOWN.split())
    return one, write_checkpoint(tmp_path / 'two.pth', [*KNOWN.split(), 'rstpreid'], 'RSTPReid', seed=1)


def config_without_workers(tmp_path):
    """Processes for twelve images would take most of the time."""
    file = tmp_path / 'model.py'
    file.write_text(f'_base_ = {str(ROOT / CONFIG)!r}\ntest_dataloader = dict(num_workers=0, persistent_workers=False)')
    return str(file)


def test_table_of_two_models_and_four_data_sets(tmp_path, sources, checkpoints, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(TOOLS))
    config, out = config_without_workers(tmp_path), tmp_path / 'out.json'
    models = [argument for checkpoint in checkpoints for argument in ('--model', config, checkpoint)]
    paths = ['--test-on', *sources, '--work-dir', str(tmp_path / 'work'), '--out', str(out)]
    importlib.import_module('transfer_table').main([*models, *paths])
    cells = json.loads(out.read_text())
    pairs = [(cell['trained_on'], cell['tested_on']) for cell in cells]
    assert pairs == [(home, name) for home in ('ToyPEDES', 'RSTPReid') for name in NAMES]
    for cell in cells:
        assert 0 <= cell['figures']['t2i/R@1'] <= 100
        if cell['tested_on'] != 'ToyPEDES':
            unknown = cell['unknown_words']
            extra = cell['trained_on'] == cell['tested_on'] == 'RSTPReid'
            assert (unknown['total'], unknown['unknown']) == (36, 12 if extra else 18)
    printed = capsys.readouterr().out
    table = printed[printed.index('t2i/R@1 / t2i/mAP') :]
    assert 'on CUHK-PEDES' in table
    assert f'{cells[4]["figures"]["t2i/R@1"]:.2f} / {cells[4]["figures"]["t2i/mAP"]:.2f}' in table
    assert '50.00' in table[table.index('unknown words') :]
    assert '33.33' in table[table.index('unknown words') :]


def test_missing_data_stop_before_anything_is_tested(tmp_path, sources, checkpoints):
    (tmp_path / 'RSTPReid' / 'data_captions.json').unlink()
    with pytest.raises(FileNotFoundError, match='RSTPReid needs'):
        run_transfers([(CONFIG, checkpoints[0])], [Config.fromfile(file) for file in sources], tmp_path / 'work')
    assert not (tmp_path / 'work').exists()


def test_the_models_own_transforms_and_tokenizer_stay():
    cfg, source = Config.fromfile(ROOT / CONFIG), read_config('mmtbps::_base_/datasets/icfg_pedes.py')
    own = cfg.test_dataloader.dataset.copy()
    dataset = use_test_set(cfg, source).test_dataloader.dataset
    assert (dataset.type, dataset.data_root, dataset.split) == ('ICFGPEDES', 'data/icfg_pedes', 'test')
    assert (dataset.pipeline, dataset.tokenizer) == (own.pipeline, own.tokenizer)
    assert 'drawing' not in dataset
    assert dataset.test_mode is True
    with pytest.raises(ValueError, match='no test_dataloader'):
        use_test_set(cfg, Config(dict(a=1)))


def test_unknown_words_are_counted(tmp_path, cuhk_like):
    tokenizer = WordTokenizer(vocabulary=['<pad>', '<unk>', 'a', 'red'])
    dataset = CUHKPEDES(data_root=str(cuhk_like), split='test', test_mode=True, tokenizer=tokenizer)
    counts = count_unknown_words(dataset)
    assert counts == UnknownWords(7, 4, 3, ['coat', 'blue', 'hat'])
    assert '4 of 7 words of the captions (57.14 %) are unknown to the model, 3 different ones: coat' in str(counts)


@pytest.fixture
def cuhk_like(tmp_path, write_json):
    captions = ['A red coat.', 'A blue COAT, hat']
    return write_json(tmp_path, [dict(split='test', captions=captions, file_path='a.png', id=1)])


def test_bpe_knows_every_word(cuhk_like):
    tokenizer = dict(type='CLIPTokenizer')
    dataset = CUHKPEDES(data_root=str(cuhk_like), split='test', test_mode=True, tokenizer=tokenizer)
    assert count_unknown_words(dataset) is None


def test_cells_without_counts_are_dashes():
    text = format_transfers([Transfer('A', 'a.pth', 'B', {'t2i/R@1': 12.25}, None)], ['t2i/R@1'])
    assert '12.25' in text
    assert text.splitlines()[-2].count(' - ') == 1
