"""Importing the package is quick, and MMEngine knows it whatever is imported first."""

import subprocess
import sys

import pytest

KNOWS = """
from mmengine.config import Config
cfg = Config.fromstring("_base_ = 'mmtbps::cm_moco/cm-moco_tiny_toypedes.py'", '.py')
assert cfg.model.type == 'CMMoCoRetriever'
import torch, mmengine
assert type(mmengine.__loader__) is type(mmengine.__spec__.loader) is type(torch.__loader__)
"""


def run(code):
    return subprocess.run([sys.executable, '-W', 'error', '-c', code], capture_output=True, text=True)


@pytest.mark.parametrize(
    'first', ['import mmtbps', 'import mmengine; import mmtbps', 'import mmtbps, mmcv', 'import mmtbps.core.checkpoint']
)
def test_mmengine_finds_the_configs(first):
    done = subprocess.run([sys.executable, '-c', first + KNOWS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_neither_torch_nor_mmengine_is_loaded():
    done = run('import sys, mmtbps; assert not {"torch", "mmengine", "numpy"} & set(sys.modules)')
    assert done.returncode == 0, done.stderr


def test_a_missing_mmengine_is_named_with_the_remedy():
    hide = 'import mmtbps.core.compatibility as checks; checks.installed_versions = lambda names: {}\n'
    done = run(f'{hide}import mmtbps, mmengine')
    assert 'ImportError: mmtbps needs torch>=2.6, which is not installed' in done.stderr
