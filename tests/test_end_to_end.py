"""The tools as a user calls them, on a ToyPEDES of a few identities."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mmtbps
from mmtbps.converters import publish_checkpoint
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.deploy import ONNXEncoder, export_onnx
from mmtbps.search import ModelEncoder, Searcher

ROOT = Path(mmtbps.__file__).parents[1]
CONFIG = 'configs/dual_stream/dual-stream_tiny_toypedes.py'
DRAWING = dict(num_train_ids=24, num_val_ids=6, num_test_ids=6, images_per_id=2, seed=3)
EPOCHS = 3

# Stops a run as a kill does: after an epoch was saved, before it is validated.
INTERRUPTED_RUN = """
import os, runpy, sys
from mmengine.hooks import Hook
from mmtbps.registry import HOOKS

@HOOKS.register_module()
class KillHook(Hook):
    def before_val(self, runner):
        if runner.epoch == 2:
            os._exit(9)

sys.argv.append('default_hooks.kill.type=KillHook')
runpy.run_path('tools/train.py', run_name='__main__')
"""


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'toypedes'
    draw_toy_pedes(root, **DRAWING)
    return root


@pytest.fixture(scope='module')
def options(data_root):
    loaders = [f'{name}_dataloader' for name in ('train', 'val', 'test')]
    options = [f'{loader}.dataset.data_root={data_root}' for loader in loaders]
    options += [f'{loader}.dataset.drawing.{key}={value}' for loader in loaders for key, value in DRAWING.items()]
    options += ['train_dataloader.batch_size=16', 'train_dataloader.sampler.batch_size=16']
    return [*options, f'train_cfg.max_epochs={EPOCHS}']


def run(*arguments, expected=0):
    scripts = Path(sys.executable).parent  # where the shell scripts find this very Python
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=ROOT,
        env={
            **os.environ,
            'PATH': f'{scripts}:{os.environ["PATH"]}',
            'PYTHONWARNINGS': 'ignore',
            'OMP_NUM_THREADS': '1',
        },
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    assert done.returncode == expected, output[-5000:]
    return output


def train(work_dir, options, *switches):
    return run(sys.executable, 'tools/train.py', CONFIG, '--work-dir', work_dir, *switches, '--cfg-options', *options)


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory, options):
    work_dir = tmp_path_factory.mktemp('whole')
    return work_dir, train(work_dir, options)


def log_of(work_dir):
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


def best_checkpoint(work_dir):
    return next(work_dir.glob('best_*.pth'))


def test_training_tests_the_best_epoch_and_prints_the_table(whole_run):
    work_dir, output = whole_run
    assert f'Load checkpoint from {best_checkpoint(work_dir)}' in log_of(work_dir)
    assert len(output.splitlines()) < 40
    table = output[output.rindex('| t2i') :]
    assert 'best epoch on val' in output[output.rindex('R@1 ') - 200 :]
    assert table.count('|') >= 12


def test_dumped_config_is_resolved_and_the_words_travel_in_the_checkpoint(whole_run):
    work_dir, _ = whole_run
    dumped = (work_dir / Path(CONFIG).name).read_text()
    words = load_checkpoint_file(best_checkpoint(work_dir))['meta']['dataset_meta']['vocabulary']
    assert words[:2] == ['<pad>', '<unk>']
    assert f'vocab_size={len(words)}' in dumped
    assert f"'{words[10]}'" not in dumped


def test_test_tool_gives_the_figures_of_the_run(whole_run, options, tmp_path):
    work_dir, output = whole_run
    figures, features = tmp_path / 'figures.json', tmp_path / 'features.npz'
    arguments = ['--out', figures, '--dump', features, '--show-dir', tmp_path / 'lists', '--show-queries', 2]
    again = run(
        sys.executable, 'tools/test.py', CONFIG, best_checkpoint(work_dir), '--work-dir', tmp_path / 'work', *arguments,
        '--cfg-options', *options,
    )  # fmt: skip
    assert output[output.rindex('| t2i') :].splitlines()[:2] == again[again.rindex('| t2i') :].splitlines()[:2]
    assert set(json.loads(figures.read_text())) >= {'t2i/R@1', 'i2t/mINP'}
    assert features.is_file()
    assert len(list((tmp_path / 'lists').glob('*.png'))) == 2


def test_resumed_run_equals_uninterrupted_run_bit_by_bit(whole_run, options, tmp_path):
    whole, _ = whole_run
    work_dir = tmp_path / 'resumed'
    run(sys.executable, '-c', INTERRUPTED_RUN, CONFIG, '--work-dir', work_dir, '--cfg-options', *options, expected=9)
    assert (work_dir / 'epoch_2.pth').is_file()
    output = train(work_dir, options, '--resume')
    assert 'Epoch 2 was saved but not scored: validating it first.' in output
    one, other = (load_checkpoint_file(folder / f'epoch_{EPOCHS}.pth') for folder in (whole, work_dir))
    assert_equal(one['state_dict'], other['state_dict'])
    assert_equal(one['optimizer'], other['optimizer'])
    assert one['message_hub']['runtime_info']['best_score'] == other['message_hub']['runtime_info']['best_score']
    assert best_checkpoint(whole).name == best_checkpoint(work_dir).name


def assert_equal(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_equal(first, second)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_without_validation_the_last_epoch_is_tested_and_named(options, tmp_path):
    output = train(tmp_path, [*options, 'train_cfg.max_epochs=1'], '--no-validate')
    assert 'last epoch (1): there was no validation' in output
    assert not list(tmp_path.glob('best_*'))


def test_momentum_contrast_trains_under_autocast(options, tmp_path):
    output = run(
        sys.executable, 'tools/train.py', 'configs/cm_moco/cm-moco_tiny_toypedes.py', '--amp', '--auto-scale-lr',
        '--work-dir', tmp_path, '--cfg-options', *options, 'train_cfg.max_epochs=1',
    )  # fmt: skip
    assert 'Scaling the original LR by 0.125' in log_of(tmp_path)
    assert 'contrastive.loss_i2t' in log_of(tmp_path)
    assert '| t2i' in output


def test_two_processes_train_with_the_shell_script(options, tmp_path):
    output = run(
        'bash', 'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path, '--cfg-options', *options,
        'train_cfg.max_epochs=1', 'train_dataloader.batch_size=8', 'train_dataloader.sampler.batch_size=8',
    )  # fmt: skip
    assert '| t2i' in output
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_a_misspelt_key_stops_the_run_before_anything_is_written(options, tmp_path):
    output = run(
        sys.executable, 'tools/train.py', CONFIG, '--work-dir', tmp_path / 'none', '--cfg-options', *options,
        'train_dataloder.batch_size=4', expected=2,
    )  # fmt: skip
    assert 'did you mean train_dataloader?' in output
    assert not (tmp_path / 'none').exists()


def test_weights_of_another_code_base_start_no_training(options, tmp_path):
    torch.save({'model': {'base_model.visual.conv1.weight': torch.zeros(2)}, 'epoch': 60}, tmp_path / 'irra.pth')
    output = run(
        sys.executable, 'tools/train.py', CONFIG, '--work-dir', tmp_path / 'run', '--cfg-options', *options,
        f'load_from={tmp_path / "irra.pth"}', expected=2,
    )  # fmt: skip
    assert 'irra.pth does not fit DualStreamRetriever: it lacks' in output
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_published_model_searches_the_gallery_of_the_whole_one_and_is_exported(whole_run, data_root, tmp_path):
    work_dir, _ = whole_run
    config, best = work_dir / Path(CONFIG).name, best_checkpoint(work_dir)
    published = publish_checkpoint(best, tmp_path / 'model.pth').path
    searcher = Searcher.from_config(config, best)
    crops = sorted(str(path) for path in (data_root / 'imgs').rglob('*.*'))[:4]
    searcher.index(crops, tmp_path / 'gallery', progress=False, num_workers=0)
    again = Searcher.load(tmp_path / 'gallery', checkpoint=published)
    assert again.search('a man in a red coat', topk=4) == searcher.search('a man in a red coat', topk=4)
    export_onnx(ModelEncoder(config, published), tmp_path / 'onnx')
    assert ONNXEncoder(tmp_path / 'onnx').fingerprint == searcher.encoder.fingerprint
