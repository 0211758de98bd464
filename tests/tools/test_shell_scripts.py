"""The shell scripts, with the program that they hand over to replaced by one that prints its arguments."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def called(tmp_path):
    """Run a script; return the program that it hands over to and its arguments."""
    for name in ('python', 'srun'):
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "$0"\nfor argument in "$@"; do echo "$argument"; done\n')
        program.chmod(0o755)

    def run(script, *arguments, **environment):
        done = subprocess.run(
            ['bash', f'tools/{script}', *arguments],
            cwd=ROOT,
            env={'PATH': f'{tmp_path}:{os.environ["PATH"]}', **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        program, *rest = done.stdout.splitlines()
        return Path(program).name, rest

    return run


def test_training_on_several_processes(called):
    program, arguments = called('dist_train.sh', 'config.py', '4', '--work-dir', 'a folder')
    assert program == 'python'
    assert arguments[0] == 'tools/dist_run.py'
    assert {'--nnodes=1', '--nproc_per_node=4', '--master_addr=127.0.0.1'} <= set(arguments)
    script = arguments.index('tools/train.py')
    assert arguments[script + 1 :] == ['config.py', '--launcher', 'pytorch', '--work-dir', 'a folder']


def test_training_on_several_machines(called):
    places = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='29600')
    _, arguments = called('dist_train.sh', 'config.py', '8', **places)
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=10.0.0.1', '--master_port=29600'} <= set(arguments)


def test_testing_on_several_processes(called):
    program, arguments = called('dist_test.sh', 'config.py', 'epoch_1.pth', '2', '--out', 'figures.json')
    assert program == 'python'
    assert '--nproc_per_node=2' in arguments
    script = arguments.index('tools/test.py')
    assert arguments[script + 1 :] == ['config.py', 'epoch_1.pth', '--launcher', 'pytorch', '--out', 'figures.json']


def test_training_under_slurm(called):
    program, arguments = called('slurm_train.sh', 'gpus', 'search', 'config.py', '--amp')
    assert program == 'srun'
    script = arguments.index('tools/train.py')
    assert arguments[:script] == [
        *('-p', 'gpus', '--job-name=search', '--gres=gpu:8', '--ntasks=8', '--ntasks-per-node=8'),
        *('--cpus-per-task=5', '--kill-on-bad-exit=1', 'python', '-u'),
    ]
    assert arguments[script + 1 :] == ['config.py', '--launcher', 'slurm', '--amp']


def test_sizes_and_further_options_of_slurm(called):
    options = dict(GPUS='4', CPUS_PER_TASK='2', SRUN_ARGS='--quotatype=auto --async')
    _, arguments = called('slurm_train.sh', 'gpus', 'search', 'config.py', **options)
    assert {'--gres=gpu:4', '--ntasks=4', '--cpus-per-task=2', '--quotatype=auto', '--async'} <= set(arguments)


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_too_few_arguments_show_the_usage(script):
    done = subprocess.run(['bash', f'tools/{script}', 'one'], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert f'usage: tools/{script}' in done.stderr
