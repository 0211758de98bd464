"""The converter as a command."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from reference_vectors import FOLDER
from torch import nn

import mmtbps
from mmtbps.apis import resolve_data_sizes
from mmtbps.datasets import WordTokenizer

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'textreid_to_mmtbps.py'


def run(*arguments):
    runpy.run_path(str(TOOL))['main']([*map(str, arguments)])


@pytest.fixture(scope='module')
def trajectory():
    return torch.load(FOLDER / 'traj_equal.pth', weights_only=True)


@pytest.mark.parametrize('wrap', [lambda state: state, lambda state: {'model': state, 'iteration': 5}])
@pytest.mark.parametrize('suffix', ['.npy', '.pth'])
def test_there_and_back(tmp_path, trajectory, wrap, suffix):
    table = tmp_path / f'table{suffix}'
    np.save(table, trajectory['table']) if suffix == '.npy' else torch.save(trajectory['table'], table)
    torch.save(wrap({f'module.{name}': value for name, value in trajectory['init'].items()}), tmp_path / 'public.pth')
    run(tmp_path / 'public.pth', tmp_path / 'ours.pth', '--word-table', table)
    ours = torch.load(tmp_path / 'ours.pth', weights_only=True)
    assert torch.equal(ours['state_dict']['text_stream.backbone.table.weight'], trajectory['table'])
    load_checkpoint(nn.Module(), str(tmp_path / 'ours.pth'))

    run(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--reverse')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)['model']  # as the public reader does
    assert back.keys() == trajectory['init'].keys()
    assert all(torch.equal(back[name], value) for name, value in trajectory['init'].items())


def words_for(path, count):
    path.write_text('\n'.join(['<pad>', '<unk>', *(f'word{i}' for i in range(count - 2)), '']))
    return path


def convert_with(words, folder, trajectory):
    public, table = folder / 'public.pth', folder / 'table.pth'
    torch.save(trajectory['init'], public)
    torch.save(trajectory['table'], table)
    run(public, folder / 'ours.pth', '--word-table', table, '--words', words)


def test_words_make_a_checkpoint_that_stands_alone(tmp_path, trajectory, capsys):
    rows = len(trajectory['table'])
    words = words_for(tmp_path / 'vocabulary.txt', rows)
    convert_with(words, tmp_path, trajectory)
    meta = torch.load(tmp_path / 'ours.pth', weights_only=True)['meta']['dataset_meta']
    cfg = Config.fromfile(CONFIGS / 'cm_moco/cm-moco_r50-bigru_1xb128-80e_cuhk-pedes.py')
    model = resolve_data_sizes(cfg, meta).model
    assert model.text_stream.backbone.vocab_size == rows
    assert model.heads.identity.num_classes == trajectory['init']['embed_model.loss_evaluator.projection'].shape[1]
    assert WordTokenizer(vocabulary=meta['vocabulary']).encode('word1 word0 unknown') == [3, 2, 1]

    capsys.readouterr()
    run(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--reverse')
    told = capsys.readouterr().out
    assert 'text_stream.backbone.table.weight' in told
    assert 'Words are not taken along' in told


@pytest.mark.parametrize(('surplus', 'message'), [(1, 'words, but the word table'), (None, 'vocabulary.txt: ')])
def test_words_that_do_not_fit_are_refused(tmp_path, trajectory, surplus, message):
    words = words_for(tmp_path / 'vocabulary.txt', len(trajectory['table']) + (surplus or 0))
    if surplus is None:
        words.write_text('no special entries\n')
    with pytest.raises(ValueError, match=message):
        convert_with(words, tmp_path, trajectory)
    assert not (tmp_path / 'ours.pth').exists()


def test_nothing_is_left_after_an_error(tmp_path, trajectory):
    torch.save({**trajectory['init'], 'unexpected': torch.ones(1)}, tmp_path / 'public.pth')
    with pytest.raises(ValueError, match='unexpected'):
        run(tmp_path / 'public.pth', tmp_path / 'ours.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['public.pth']


def test_the_missing_table_is_told(tmp_path, trajectory, capsys):
    torch.save(trajectory['init'], tmp_path / 'public.pth')
    run(tmp_path / 'public.pth', tmp_path / 'ours.pth')
    assert 'no word embedding' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(tmp_path / 'ours.pth', tmp_path / 'x.pth', '--reverse', '--word-table', 'table.npy')
