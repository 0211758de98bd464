"""Errors of commands: one paragraph and exit code 2, a traceback on request, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from mmengine.config import Config

from mmtbps.core.commands import paragraph_of, run_command, told_in_a_paragraph

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (ValueError('wide   is\n -1; take more'), 'wide is -1; take more'),
        (KeyError('Nothing is in the registry'), 'Nothing is in the registry'),
        (FileNotFoundError(2, 'No such file', 'a.py'), "[Errno 2] No such file: 'a.py'"),
        (RuntimeError(), 'RuntimeError'),
    ],
)
def test_one_paragraph(capsys, error, told):
    with pytest.raises(SystemExit) as end, told_in_a_paragraph('tool.py'):
        raise error
    assert end.value.code == 2
    assert capsys.readouterr().err == f'tool.py: {told}\n'


HALF_BUILT = """
from mmtbps.core.commands import run_command

class Iterator:
    def __init__(self):
        raise KeyboardInterrupt('Go on with --resume.')

    def __del__(self):
        self.workers

run_command(Iterator, 'train.py')
"""


WARNINGS = """
import warnings
from mmtbps.core.commands import run_command

def main():
    for text in ('too small', 'too wide', 'too small', 'pkg_resources is deprecated as an API'):
        warnings.filterwarnings('ignore', 'something else')  # after which Python forgets what it has told
        warnings.warn(text)

run_command(main, 'tool')
"""


def test_a_warning_is_told_once_in_a_line():
    done = subprocess.run([sys.executable, '-c', WARNINGS], capture_output=True, text=True, check=True)
    assert done.stderr == 'tool: warning: too small\ntool: warning: too wide\n'


def test_faults_of_the_code_are_not_hidden():
    with pytest.raises(AttributeError), told_in_a_paragraph('tool.py'):
        None.nothing  # noqa: B018
    with pytest.raises(ValueError, match='shown'), told_in_a_paragraph('tool.py', traceback=True):
        raise ValueError('shown')


def test_the_option_goes_before_the_tool_reads_its_own(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, 'argv', ['tools/x.py', 'query', '--traceback', 'a'])
    run_command(lambda: seen.extend(sys.argv[1:]))
    assert seen == ['query', 'a']
    with pytest.raises(SystemExit) as end:
        run_command(lambda: 1)
    assert end.value.code == 1


def test_what_the_formatting_of_configs_hides(monkeypatch):
    def formatted():
        try:
            raise ValueError('the first error')
        except ValueError:
            raise SyntaxError(  # noqa: B904 - as MMEngine does
                'Failed to format the config file, please check the syntax of: '
            )

    with pytest.raises(SyntaxError) as caught:
        formatted()
    assert paragraph_of(caught.value) == 'the first error'
    with pytest.raises(SyntaxError) as caught:
        Config.fromstring('a = (', '.py')
    assert 'line 1' in paragraph_of(caught.value)


def tools():
    names = [path for path in sorted(ROOT.glob('tools/**/*.py')) if "if __name__ == '__main__'" in path.read_text()]
    return [pytest.param(path, id=path.stem) for path in names]


@pytest.mark.parametrize('path', tools())
def test_every_tool_tells_its_errors_so(path):
    text = path.read_text()
    if path.stem == 'dist_run':  # whose arguments and errors are torchrun's
        return
    assert text.endswith("if __name__ == '__main__':\n    run_command(main)\n")
    assert 'epilog=EPILOG' in text or 'from mmtbps.cli import' in text


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores Ctrl-C for what it runs in the background, and so would this process.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_mistake_in_the_shell(tmp_path):
    process = start('tools/test.py', 'configs/dual_stream/dual-stream_tiny_toypedes.py', tmp_path / 'gone.pth')
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors.splitlines()[-1] == f'test.py: There is no checkpoint {tmp_path / "gone.pth"}.'
    assert 'Traceback' not in errors


def test_the_last_word_after_an_interruption_is_ours():
    """An object that is half-built when Ctrl-C comes, as an iterator with its workers may be, is cleared away later."""
    done = subprocess.run([sys.executable, '-c', HALF_BUILT], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.strip() == 'train.py: interrupted. Go on with --resume.'


def test_an_interrupted_training_says_how_to_go_on(tmp_path):
    numbers = dict(num_train_ids=24, num_val_ids=2, num_test_ids=2, images_per_id=2)
    options = [
        f'{loader}_dataloader.dataset.{key}={value}'
        for loader in ('train', 'val', 'test')
        for key, value in {'data_root': tmp_path / 'toy', **{f'drawing.{k}': v for k, v in numbers.items()}}.items()
    ]
    options += ['train_dataloader.batch_size=8', 'train_dataloader.sampler.batch_size=8', 'train_cfg.max_epochs=500']
    config = 'configs/dual_stream/dual-stream_tiny_toypedes.py'
    process = start('tools/train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options', *options)
    try:
        for _ in range(600):
            if (tmp_path / 'run/last_checkpoint').exists() or process.poll() is not None:
                break
            time.sleep(0.2)
        for _ in range(20):  # Python drops one that arrives while it finalises an object
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                _, errors = process.communicate(timeout=10)
                break
    finally:
        process.kill()
    assert process.returncode == 130, errors[-2000:]
    # Those of dropped signals alone.
    assert errors.count('Traceback') == errors.count('Exception ignored in')
    assert f'add: --resume --work-dir {tmp_path / "run"}' in errors.splitlines()[-1]
