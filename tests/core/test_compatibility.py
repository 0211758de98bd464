import builtins
import subprocess
import sys
from importlib import metadata

import pytest

from mmtbps.core import compatibility


def _pretend(monkeypatch, versions):
    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, 'version', version)


GOOD = {'torch': '2.9.0', 'mmengine': '0.10.7', 'mmcv-lite': '2.2.0', 'mmpretrain': '1.2.0'}


def test_good_versions_pass_without_warning(monkeypatch, recwarn):
    _pretend(monkeypatch, GOOD)
    compatibility.check_dependencies()
    assert not recwarn.list


def test_a_maintained_fork_passes(monkeypatch):
    _pretend(monkeypatch, {'torch': '2.9.0', 'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.0', 'mmpretrain': '1.2.0'})
    compatibility.check_dependencies()


@pytest.mark.parametrize(('name', 'version'), [('mmengine', '0.9.0'), ('mmcv-lite', '1.7.0'), ('torch', '2.0.0')])
def test_a_wrong_version_is_named_with_the_remedy(monkeypatch, name, version):
    _pretend(monkeypatch, {**GOOD, name: version})
    with pytest.raises(ImportError, match=rf'{name} {version} is installed.*pip install'):
        compatibility.check_dependencies()


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    _pretend(monkeypatch, {name: version for name, version in GOOD.items() if name != 'mmcv-lite'})
    with pytest.raises(ImportError, match=r'mmcv.*not installed.*mmcv-lite'):
        compatibility.check_dependencies()


def test_both_mmcv_distributions_are_reported(monkeypatch):
    _pretend(monkeypatch, {**GOOD, 'mmcv': '2.2.0'})
    with pytest.warns(UserWarning, match=r'mmcv-lite 2\.2\.0 and mmcv 2\.2\.0 are both installed'):
        compatibility.check_dependencies()


def test_missing_system_libraries_of_opencv_are_named(monkeypatch):
    _pretend(monkeypatch, GOOD)
    real_import = builtins.__import__

    def fail_on_cv2(name, *args, **kwargs):
        if name == 'cv2':
            raise ImportError('libGL.so.1: cannot open shared object file')
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', fail_on_cv2)
    with pytest.raises(ImportError, match=r'libgl1 libglib2\.0-0'):
        compatibility.check_dependencies()


def test_mmcv_lite_is_not_advised_against():
    code = 'import mmtbps, mmcv.cnn.bricks.transformer'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert 'MultiScaleDeformableAttention' not in done.stderr
