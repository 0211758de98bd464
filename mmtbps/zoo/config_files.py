"""Reading of config files, which may hold any mistake: it is told with the file and, in their code, the line."""

import ast
import json
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mmtbps.core.commands import paragraph_of

__all__ = ['load_config', 'load_inherited']

# Functions of MMEngine that read a file or one of its bases, which they have as `filename`.
_READERS = ('_file2dict', '_is_lazy_import', '_parse_lazy_import')
_NOT_READ = (OSError, ValueError, SyntaxError, RecursionError, MemoryError, yaml.YAMLError)


def load_config(file: str | Path) -> Config:
    """Read a config file with its bases.

    Args:
        file: A Python, JSON or YAML file.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If a base is missing.
        ImportError: If a module of ``custom_imports`` is missing.
        ValueError: If the file or a base of it is no config, if its code raises anything, or if it is a base of itself.
    """
    _check_bases(Path(file), ())
    return _told(str(file), lambda: Config.fromfile(file))


def load_inherited(name: str) -> Config:
    """Read a config of an installed package.

    Args:
        name: ``package::path``.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If the package has none of that path.
        ImportError: If there is no such package.
        ValueError: If it is no config.
    """
    return _told(name, lambda: Config.fromstring(f'_base_ = {name!r}', '.py'))


def _told(name: str, read: Callable[[], Config]) -> Config:
    try:
        return read()
    except (Exception, SystemExit) as error:  # a config is code, which may raise anything
        where, line = _place(error, name)
        if line is None:
            # Missing bases and modules are named, and so is a file that cannot be opened.
            if isinstance(error, ImportError | FileNotFoundError) or getattr(error, 'errno', None):
                raise
            raise ValueError(f'{where} cannot be read as a config: {_reason(error)}.') from error
        text = paragraph_of(error)
        shown = '' if text == type(error).__name__ else f': {text.removesuffix(".")}'
        raise ValueError(f'{where} raises {type(error).__name__} in line {line}{shown}.') from error


def _place(error: BaseException, name: str) -> tuple[str, int | None]:
    """Where an error is from: the file itself, a base or a module, and the line of its code, None if none runs."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename]
    files = [
        os.path.abspath(frame.f_locals['filename'])
        for frame, _ in frames
        if frame.f_code.co_name in _READERS and frame.f_globals.get('__name__') == Config.__module__
    ]
    file = files[-1] if files else ''
    where = name if file == ''.join(files[:1]) else f'{file} (a base of {name})'
    lines = [line for frame, line in frames if os.path.abspath(frame.f_code.co_filename) == file]
    if lines:
        return where, lines[-1]
    modules = [(frame.f_code.co_filename, line) for frame, line in frames if frame.f_code.co_name == '<module>']
    module = next((place for place in reversed(modules) if os.path.isfile(place[0])), None)
    return (where, None) if module is None else (f'{module[0]} (imported by {name})', module[1])


def _reason(error: BaseException) -> str:
    """What is wrong with a file that cannot be parsed, or that MMEngine does not take."""
    if isinstance(error, SyntaxError) and not os.path.isfile(error.filename or ''):
        return f'line {error.lineno}: {error.msg}' if error.lineno else str(error.msg)
    if isinstance(error, json.JSONDecodeError):
        return f'not valid JSON, {error.msg} at line {error.lineno}, column {error.colno}'
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f'not valid YAML, {error.problem} at line {mark.line + 1}, column {mark.column + 1}'
    if isinstance(error, UnicodeDecodeError):
        return f'not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8'
    if isinstance(error, RecursionError | MemoryError):
        return 'nested too deeply'
    text = paragraph_of(error).rstrip('.!')
    if isinstance(error, TypeError) and 'import_modules_from_strings()' in text:
        return "custom_imports must be a dictionary, such as dict(imports=['my_module'])"
    return text if ' ' in text else f'{type(error).__name__}, {text}'


def _check_bases(file: Path, above: tuple[Path, ...]) -> None:
    """Refuse what MMEngine takes without a look: a circle of bases, bases that are no paths, and a file of a list."""
    here = file.resolve()
    if here in above:
        circle = ' -> '.join(map(str, [*above[above.index(here) :], here]))
        raise ValueError(f'{here} is a base of itself ({circle}); take one of them out of _base_.')
    for base in _bases(file):
        path = file.absolute().parent / base
        if not path.is_file():
            raise FileNotFoundError(f'{file}: there is no file {path}, which _base_ names.')
        _check_bases(path, (*above, here))


def _bases(file: Path) -> Iterator[str]:
    """Bases of a file that are files beside it, as far as can be told without running it."""
    try:
        content = _content(file)
    except _NOT_READ:  # told by MMEngine
        return
    if not isinstance(content, Mapping):
        raise ValueError(f'{file} is no config: it holds {content!r:.40}, and a config is a mapping of settings.')
    if strange := [key for key in content if not isinstance(key, str)]:
        raise ValueError(f'{file}: the key {strange[0]!r:.40} of a config must be a name.')
    given = content.get('_base_', [])
    for base in given if isinstance(given, list) else [given]:
        if not isinstance(base, str):
            raise ValueError(f'{file}: _base_ must be a path or a list of paths, got {given!r:.80}.')
        if '::' not in base and '{{' not in base:
            yield base


def _content(file: Path) -> Any:
    """What a file holds; of a Python file the bases alone."""
    text = file.read_text(encoding='utf-8')
    if file.suffix == '.json':
        return json.loads(text)
    if file.suffix in ('.yaml', '.yml'):
        return yaml.safe_load(text)
    return {'_base_': _bases_in_code(ast.parse(text).body)} if file.suffix == '.py' else {}


def _bases_in_code(body: list[ast.stmt]) -> Any:
    """The value of ``_base_``, or the files from which ``with read_base()`` imports."""
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == '_base_':
            return ast.literal_eval(node.value)
    imports = [node for block in body if isinstance(block, ast.With) for node in block.body]
    return [
        '../' * (node.level - 1) + node.module.replace('.', '/') + '.py'
        for node in imports
        if isinstance(node, ast.ImportFrom) and node.level and node.module
    ]
