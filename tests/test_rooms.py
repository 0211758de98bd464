"""The rooms of the package import downwards only; their order stands in pyproject.toml."""

import re
from pathlib import Path

import grimp
import pytest
from importlinter import api
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def layers() -> list[str]:
    contracts = api.read_configuration(str(ROOT / 'pyproject.toml'))['contracts_options']
    return next(contract for contract in contracts if contract['id'] == 'rooms')['layers']


def test_imports_point_down(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)

    assert lint_imports(config_filename='pyproject.toml', no_cache=True) == 0, capsys.readouterr().out


def test_an_import_that_climbs_is_noticed(monkeypatch, tmp_path, capsys):
    package = tmp_path / 'house'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'ground.py').write_text(
        'from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from house.roof import tile\n'
    )
    (package / 'roof.py').write_text('tile = 1\n')
    (tmp_path / 'order.toml').write_text(
        '[tool.importlinter]\nroot_package = "house"\n[[tool.importlinter.contracts]]\nname = "down"\n'
        'type = "layers"\nlayers = ["house.roof", "house.ground"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert lint_imports(config_filename='order.toml', no_cache=True) == 1
    assert 'house.ground -> house.roof' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('importer', 'imported'),
    [
        ('mmtbps.apis.inferencer', 'mmtbps.search'),  # for type checking and inside a function
        ('mmtbps.engine.hooks.queue_update_hook', 'mmtbps.engine.hooks.momentum_contrast'),
    ],
)
def test_all_imports_are_read(importer, imported):
    graph = grimp.build_graph('mmtbps', cache_dir=None)

    assert graph.direct_import_exists(importer=importer, imported=imported)


def test_the_map_for_contributors_names_every_room_in_order():
    text = (ROOT / 'docs' / 'contributing.md').read_text(encoding='utf-8')
    rooms = re.findall(r'^\| `mmtbps/(\w+)(?:/|\.py)` \|', text, flags=re.MULTILINE)

    assert rooms == layers()[::-1]
