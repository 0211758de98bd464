"""Every example in a docstring of the package runs, in a folder with what the examples name."""

import doctest
import importlib
import pkgutil
import shutil

import pytest
from tiny_search import draw_crops, write_model

import mmtbps


def examples():
    """The docstrings that have examples, by name."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in pkgutil.walk_packages(mmtbps.__path__, 'mmtbps.'):
        for test in finder.find(importlib.import_module(module.name), module.name):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A config, its weights and images, by the names that docstrings use."""
    folder = tmp_path_factory.mktemp('examples')
    _, weights = write_model(folder)
    shutil.move(weights, folder / 'best.pth')
    draw_crops(folder / 'crops')
    return folder


@pytest.mark.parametrize('test', examples())
def test_example(test, folder, monkeypatch):
    monkeypatch.chdir(folder)
    # MMPretrain's bar is printed or not, by what ran before.
    monkeypatch.setattr('mmpretrain.apis.base.track', lambda items, *_, **__: items)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report = []
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.failures == 0, ''.join(report)
    assert runner.tries == len(test.examples)  # none is skipped
