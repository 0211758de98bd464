"""Settings of a config on the command line: ``key=value``."""

import ast
import contextlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['override', 'pairs']

_PLACE = re.compile(r'\[(\d+)\]')
_WITH_DICTIONARIES = re.compile(r'\s*(\{|dict\(|[\[(].*(\{|dict\())', re.DOTALL)
_MOST_PLACES = 4


def pairs(words: list[str] | None) -> dict[str, Any]:
    """Read ``key=value`` as MMEngine's command lines do: numbers, lists, None and text; and ``{...}`` or ``dict(...)``.

    Blanks stay in a text, which MMEngine takes out of it: ``images=my crops`` is a folder.

    Raises:
        ValueError: If one has no key, no sign of equality, or a value that cannot be read.
    """
    return dict(map(_pair, words or []))


def _pair(word: str) -> tuple[str, Any]:
    import argparse

    from mmengine.config import DictAction

    key, sign, value = word.partition('=')
    if not sign or not key.strip():
        raise ValueError(f'{word!r} is no setting: write key=value.')
    if _PLACE.search(key):
        dotted = _PLACE.sub(r'.\1', key)
        raise ValueError(f'{key} is no place in a config: write {dotted}.')
    if _WITH_DICTIONARIES.match(value):
        return key, _literal(word, value)
    if ' ' in value.strip():
        if value.lstrip()[0] in '[(':
            with contextlib.suppress(ValueError):
                return key, _literal(word, value)
        elif ',' not in value:
            return key, value.strip().strip('\'"')
    read = argparse.Namespace()
    try:
        DictAction(['--options'], 'options')(None, read, [word])
    except (AssertionError, IndexError, RecursionError) as error:
        raise ValueError(f'{word!r}: {value!r} is neither a number, a list such as [1,2], None nor text.') from error
    return key, read.options[key]


def _literal(word: str, text: str) -> Any:
    """A value with dictionaries, of constants alone: nothing is called."""
    try:
        return _value(ast.parse(text.strip(), mode='eval').body)
    except (SyntaxError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f'{word!r}: {text!r} is no dictionary of plain values. Write {{"type": "SGD", "lr": 0.1}} or '
            'dict(type="SGD", lr=0.1), in quotes for the shell.'
        ) from error


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call):
        plain = isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args
        if not plain or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError('a call')
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        if len(keys) < len(node.keys):
            raise ValueError('**')
        return {_value(key): _value(value) for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.List | ast.Tuple):
        values = [_value(item) for item in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    return ast.literal_eval(node)


def override(cfg: 'Config', cfg_options: list[str] | None) -> 'Config':
    """Override settings of a config, in place.

    Raises:
        ValueError: If a setting has no place in the config; names it.
    """
    for key, value in pairs(cfg_options).items():
        _require_read(cfg, key)
        try:
            cfg.merge_from_dict({key: value})
        except (AssertionError, IndexError, KeyError, TypeError) as error:  # what MMEngine raises
            raise ValueError(f'--cfg-options {key}={value} does not fit the config: {error}') from error
    return cfg


def _require_read(cfg: 'Config', key: str) -> None:
    """Refuse the bare name of a setting that stands deeper, such as ``lr``: nothing would read it there."""
    from mmtbps.engine.config_checks import TOP_LEVEL_KEYS

    if '.' in key or key in TOP_LEVEL_KEYS:
        return
    places = [place for place in _places(cfg._cfg_dict, '') if place.rpartition('.')[2] == key and '.' in place]
    if places:
        what = 'a variable of the file, which was read already' if key in cfg else 'no setting of its own'
        near = ', '.join([*places[:_MOST_PLACES], *(['...'] if len(places) > _MOST_PLACES else [])])
        raise ValueError(f'--cfg-options {key}: {key} is {what}. Did you mean {near}?')


def _places(node: Any, path: str) -> list[str]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    found = [] if not path else [path]
    for key, child in children:
        found += _places(child, f'{path}.{key}' if path else str(key))
    return found
