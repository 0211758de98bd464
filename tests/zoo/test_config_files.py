"""Mistakes in config files are told with the file, the line of its code, and the reason."""

import pytest

from mmtbps.zoo import read_config
from mmtbps.zoo.config_files import load_config


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('c.py', 'x = 1\ny = lr * 3\n', r"c\.py raises NameError in line 2: name 'lr' is not defined\.$"),
        ('c.py', 'def f():\n    return 1 / 0\n\nx = f()\n', r'c\.py raises ZeroDivisionError in line 2: division by'),
        ('c.py', 'x = [1][3]\n', r'c\.py raises IndexError in line 1'),
        ('c.py', "x = {}['lr']\n", r'c\.py raises KeyError in line 1: lr\.$'),
        ('c.py', "raise Exception('stop')\n", r'c\.py raises Exception in line 1: stop\.$'),
        ('c.py', 'raise Exception\n', r'c\.py raises Exception in line 1\.$'),
        ('c.py', 'import sys\nsys.exit(0)\n', r'c\.py raises SystemExit in line 2'),
        ('c.py', "x = open('/nowhere').read()\n", r'c\.py raises FileNotFoundError in line 1: .*/nowhere'),
        ('c.py', '_base_ = []\nimport jsn\n', r"c\.py raises ModuleNotFoundError in line 2: .*'jsn'"),
        ('c.py', 'from torch.optim import Adam\nx = y\n', r"c\.py raises NameError in line 2: name 'y'"),
        ('c.py', 'x = (1,\n', r'c\.py cannot be read as a config: line 1: .*never closed\.$'),
        ('c.py', 'x = 1\n\0', r'c\.py cannot be read as a config: .*null bytes'),
        ('c.py', b'x = "\xe9"\n', r'c\.py cannot be read as a config: not UTF-8 .* at byte 5\); save it as UTF-8'),
        ('c.py', 'custom_imports = 3\n', r'c\.py .*: custom_imports must be a dictionary'),
        ('c.py', 'filename = 3\n', r'c\.py cannot be read as a config: filename is reserved'),
        ('c.py', '_base_ = 3\n', r'c\.py: _base_ must be a path or a list of paths, got 3'),
        ('c.py', '_base_ = name\n', r"c\.py cannot be read as a config: name 'name' is not defined"),
        ('c.json', '{"a": ', r'c\.json cannot be read as a config: not valid JSON, .* at line 1, column 7'),
        ('c.json', '{"a":' * 100_000, r'c\.json cannot be read as a config: nested too deeply'),
        ('c.json', '3', r'c\.json is no config: it holds 3, and a config is a mapping'),
        ('c.yaml', '[1, 2]', r'c\.yaml is no config: it holds \[1, 2\], and'),
        ('c.yaml', '1: 2', r'c\.yaml: the key 1 of a config must be a name'),
        ('c.yaml', 'a: [1,\n', r'c\.yaml cannot be read as a config: not valid YAML, .* at line 2, column 1'),
        ('c.txt', 'x = 1\n', r'c\.txt cannot be read as a config: Only py/yml/yaml/json'),
    ],
)
def test_a_mistake_is_told_with_the_file(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path / name)


@pytest.mark.parametrize(
    ('base', 'content', 'message'),
    [
        ('b.py', 'x = 1\ny = lr\n', r'/b\.py \(a base of \S*/c\.py\) raises NameError in line 2'),
        ('b.json', '{', r'/b\.json \(a base of \S*/c\.py\) cannot be read as a config: not valid JSON'),
        ('b.json', '3', r'/b\.json is no config'),
    ],
)
def test_a_mistake_of_a_base_is_told_with_the_base(tmp_path, base, content, message):
    (tmp_path / base).write_text(content)
    (tmp_path / 'c.py').write_text(f"_base_ = '{base}'\n")
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / 'c.py')


def test_a_missing_base_is_told_with_the_file_that_names_it(tmp_path):
    (tmp_path / 'c.py').write_text("_base_ = ['b.py']\n")
    with pytest.raises(FileNotFoundError, match=r'/c\.py: there is no file \S*/b\.py, which _base_ names'):
        load_config(tmp_path / 'c.py')


@pytest.mark.parametrize(
    'files',
    [
        {'c.py': "_base_ = 'c.py'\n"},
        {'c.py': "_base_ = ['b.json']\n", 'b.json': '{"_base_": "./c.py"}'},
        {'c.py': 'from mmengine.config import read_base\nwith read_base():\n    from .c import *\n'},
    ],
)
def test_a_circle_of_bases_is_found_before_it_is_followed(tmp_path, files, monkeypatch):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr('mmengine.config.Config.fromfile', lambda *_: pytest.fail('followed'))
    with pytest.raises(ValueError, match=r'/c\.py is a base of itself \(\S*/c\.py -> .*c\.py\); take one'):
        load_config(tmp_path / 'c.py')


def test_a_mistake_of_an_imported_module_is_told_with_the_module(tmp_path, monkeypatch):
    (tmp_path / 'module_with_a_mistake.py').write_text('x = 1\ny = lr\n')
    (tmp_path / 'c.py').write_text("custom_imports = dict(imports=['module_with_a_mistake'])\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r'mistake\.py \(imported by c\.py\) raises NameError in line 2'):
        read_config('c.py')


def test_what_an_installed_package_lacks_is_named():
    with pytest.raises(FileNotFoundError, match=r'mmtbps/\.mim/configs/nowhere/c\.py'):
        read_config('mmtbps::nowhere/c.py')
    with pytest.raises(ValueError, match=r'^nothing::a/c\.py cannot be read as a config'):
        read_config('nothing::a/c.py')


def test_values_of_bases_in_json(tmp_path):
    (tmp_path / 'b.py').write_text('y = dict(z=3)\n')
    (tmp_path / 'c.json').write_text('{"_base_": "b.py", "x": {{_base_.y.z}}}')
    assert read_config(tmp_path / 'c.json').to_dict() == dict(y=dict(z=3), x=3)
