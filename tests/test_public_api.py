"""docs/api.md names what the packages export: no less and no more."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import mmtbps

PAGE = Path(mmtbps.__file__).parents[1] / 'docs' / 'api.md'
PACKAGES = ['mmtbps', *(info.name for info in pkgutil.walk_packages(mmtbps.__path__, 'mmtbps.') if info.ispkg)]


def exports(package):
    return set(importlib.import_module(package).__all__)


def sections():
    """Names and purposes of each section of the page."""
    _, *parts = re.split(r'^## `([\w.]+)`$', PAGE.read_text(encoding='utf-8'), flags=re.MULTILINE)
    rows = (re.findall(r'^\| `(\w+)` \| (.*) \|$', part, flags=re.MULTILINE) for part in parts[1::2])
    return dict(zip(parts[::2], map(dict, rows), strict=True))


def parents(package):
    while '.' in package:
        package = package.rpartition('.')[0]
        yield package


@pytest.mark.parametrize('package', PACKAGES)
def test_a_package_has_what_it_exports(package):
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_package_is_on_the_page_or_exported_by_its_parents():
    expected = {'mmtbps.registry'}
    for package in PACKAGES:
        of_parents = set().union(*map(exports, parents(package)))
        if not exports(package) <= of_parents:
            expected.add(package)
    assert set(sections()) == expected


@pytest.mark.parametrize('package', sections())
def test_the_page_names_what_a_package_exports(package):
    described = sections()[package]
    assert set(described) == exports(package)
    assert list(described) == sorted(described)
    assert [name for name, purpose in described.items() if len(purpose) < 5] == []
