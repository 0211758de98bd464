"""The package as another project sees it: installed in place, and installed from a wheel."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mmengine.registry
import pytest
from mmpretrain.models import ResNet

import mmtbps
from mmtbps import registry

ROOT = Path(mmtbps.__file__).parents[1]

DOWNSTREAM_CONFIG = """
_base_ = 'mmtbps::dual_stream/dual-stream_tiny_toypedes.py'
train_cfg = dict(max_epochs=3)
"""

DOWNSTREAM_CHECK = """
import sys
from pathlib import Path
import numpy
from mmengine.config import Config
import mmtbps.video
cfg = Config.fromfile('config.py')
assert cfg.train_cfg.max_epochs == 3 and cfg.model.type == 'DualStreamRetriever', cfg
tools = Path(mmtbps.__file__).parent / '.mim' / 'tools'
assert (tools / 'train.py').is_file(), tools
assert mmtbps.video.HOGDetector().detect(numpy.zeros((128, 64, 3), 'uint8'))[0].shape == (0, 4)
print(Path(mmtbps.__file__).parents[1])
"""


def _run_downstream(folder, **environment):
    (folder / 'config.py').write_text(DOWNSTREAM_CONFIG)
    command = [sys.executable, '-W', 'ignore', '-c', DOWNSTREAM_CHECK]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_another_project_inherits_a_config_of_the_installation_in_place(tmp_path):
    assert Path(_run_downstream(tmp_path)) == ROOT


@pytest.mark.parametrize('archived', [False, True], ids=['folder', 'sdist'])
def test_another_project_inherits_a_config_of_a_wheel(tmp_path, archived):
    """The wheel is built from the sources, in which configs and tools are links, or from a source distribution."""
    source, site, project = (tmp_path / name for name in ('source', 'site', 'project'))
    project.mkdir()
    source.mkdir()
    for name in ('mmtbps', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'CHANGELOG.md'):
        shutil.copy(ROOT / name, source / name)
    if archived:
        subprocess.run([sys.executable, 'setup.py', '-q', 'sdist'], cwd=source, check=True, capture_output=True)
        (source,) = (source / 'dist').glob('*.tar.gz')
    pip = [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-build-isolation', '--target', str(site)]
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    assert Path(_run_downstream(project, PYTHONPATH=str(site))) == site


@pytest.mark.parametrize('name', ['ResNet', 'mmpretrain.ResNet'])
def test_a_class_of_mmpretrain_builds_with_and_without_its_scope(name):
    assert isinstance(registry.MODELS.build(dict(type=name, depth=18)), ResNet)


def test_every_class_is_found_from_any_scope():
    for name in registry.__all__:
        node = getattr(registry, name)
        node.import_from_location()
        for key in node.module_dict:
            from_root = node._get_root_registry().get(f'mmtbps.{key}')
            assert from_root is node.get(key), (name, key)
    assert mmengine.registry.MODELS.get('mmtbps.DualStreamRetriever') is not None


def test_every_module_imports_on_its_own():
    """No module relies on another one having been imported before it."""
    for path in sorted((ROOT / 'mmtbps').rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        if '.mim' not in parts:
            importlib.import_module('.'.join(parts[:-1] if parts[-1] == '__init__' else parts))
