"""setup.py asks for what the code imports, in versions that work, whatever machine it runs on."""

import ast
import re
import runpy
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mmtbps
from mmtbps.core.compatibility import REQUIREMENTS

ROOT = Path(mmtbps.__file__).parents[1]
OPENMMLAB = {'mmengine', 'mmcv-lite', 'mmpretrain'}
# Imported where an optional feature is used, from a function or a module of the feature's own.
OPTIONAL = {'gradio', 'scikit-learn', 'sentence-transformers'}
# Also where one of them is missing or a fork is installed in its place.
DISTRIBUTIONS = {
    'sklearn': ['scikit-learn'],
    'sentence_transformers': ['sentence-transformers'],
    **{module: distributions[:1] for module, (distributions, _) in REQUIREMENTS.items()},
}


@pytest.fixture(scope='module')
def setup():
    """Requirements by extra, those of the package itself under ''."""
    with pytest.MonkeyPatch.context() as patch:
        arguments = {}
        patch.setattr(setuptools, 'setup', lambda **given: arguments.update(given))
        runpy.run_path(str(ROOT / 'setup.py'))
    texts = {'': arguments['install_requires'], **arguments['extras_require']}
    return {extra: [Requirement(text) for text in listed] for extra, listed in texts.items()}


def names(requirements):
    return {canonicalize_name(requirement.name) for requirement in requirements}


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def imported_distributions(*folders):
    """What the code below the folders imports: sets of distributions, any of which has the module."""
    files = [path for folder in folders for path in (ROOT / folder).rglob('*.py') if '.mim' not in path.parts]
    own = {'mmtbps', *(path.stem for path in files), *(path.parent.name for path in files)}
    modules = {module.partition('.')[0] for path in files for module in imported_modules(path)}
    known = metadata.packages_distributions() | DISTRIBUTIONS
    third_party = sorted(modules - own - set(sys.stdlib_module_names))
    assert third_party
    return {module: {canonicalize_name(name) for name in known[module]} for module in third_party}


def test_every_import_is_declared(setup):
    required = names(setup['']) | OPTIONAL
    assert names(setup['demo'] + setup['tsne'] + setup['words']) == OPTIONAL
    undeclared = {
        module: found for module, found in imported_distributions('mmtbps', 'tools').items() if not found & required
    }
    assert not undeclared


def test_every_import_of_the_tests_is_declared(setup):
    declared = names(setup['']) | names(setup['tests'])
    undeclared = {module: found for module, found in imported_distributions('tests').items() if not found & declared}
    assert not undeclared


def test_the_tests_have_what_the_features_need(setup):
    # sentence-transformers, which brings transformers, has a stand-in.
    features = [requirement for extra in ('deploy', 'search', 'demo', 'tsne') for requirement in setup[extra]]
    assert set(map(str, features)) <= set(map(str, setup['tests']))


def test_the_check_at_import_has_the_same_bounds(setup):
    required = {requirement.name: requirement.specifier for requirement in setup['']}
    assert {distributions[0]: wanted for distributions, wanted in REQUIREMENTS.values()} == {
        name: required[name] for name in ('torch', *OPENMMLAB)
    }


def test_they_do_not_depend_on_the_machine(setup):
    """What looks for installed packages, such as a full mmcv, makes a wheel that is wrong elsewhere."""
    assert set(imported_modules(ROOT / 'setup.py')) == {'re', 'pathlib', 'setuptools'}
    assert names(setup['']) >= OPENMMLAB


def test_the_lowest_versions_are_those_that_the_check_installs(setup):
    floors = runpy.run_path(str(ROOT / '.ci' / 'check_floors.py'))['floors']
    lowest = dict(line.split('==') for line in floors([str(requirement) for requirement in setup['']]))
    assert {'torch', 'mmengine', 'mmcv-lite', 'mmpretrain', 'open_clip_torch', 'numpy'} <= set(lowest)
    for requirement in setup['']:
        assert requirement.specifier.contains(lowest.get(requirement.name, '1'))


def keeping_command():
    """The README's command that leaves OpenMMLab's packages alone: its two calls of pip, as words."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    (block,) = re.findall(r'<!-- command: keep -->\n```console\n(.*?)```', text, flags=re.DOTALL)
    return [shlex.split(call) for call in block.replace('\\\n', ' ').split('&&')]


def test_the_command_that_keeps_other_openmmlab_packages_asks_for_all_but_them(setup):
    package, others = keeping_command()
    pip = ['python', '-m', 'pip', 'install']
    assert package == [*pip, '--no-deps', '-e', '.']
    assert others[:4] == pip
    wanted = [requirement for requirement in setup[''] if requirement.name not in OPENMMLAB]
    assert sorted(map(str, map(Requirement, others[4:]))) == sorted(map(str, wanted))


def test_nothing_in_that_command_brings_them_back():
    waiting, seen = [Requirement(text).name for text in keeping_command()[1][4:]], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in seen:
            seen.add(name)
            needed = map(Requirement, metadata.requires(name) or [])
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({'extra': ''})]
    assert 'sympy' in seen  # what torch needs is among them
    companions = {name for distributions, _ in REQUIREMENTS.values() for name in distributions} - {'torch'}
    assert not seen & companions
