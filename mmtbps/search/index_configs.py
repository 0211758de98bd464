"""What users ask of an index, checked before it is built."""

from collections.abc import Iterable
from inspect import Parameter, signature
from typing import Any

from mmtbps.data_configs import registered
from mmtbps.registry import INDEXES

__all__ = ['require_index']


def require_index(kind: Any, arguments: Iterable[str]) -> None:
    """Refuse an index that does not exist, and arguments that it does not have.

    Args:
        kind: Type of the index: a registered name; what is none is left to MMEngine, which imports dotted names.
        arguments: Names of its arguments.

    Raises:
        ValueError: If there is none of this name, or it has not all of the arguments.
    """
    if not isinstance(kind, str) or (found := registered(INDEXES, kind)) is None:
        if isinstance(kind, str) and '.' not in kind:
            known = ', '.join(sorted(INDEXES.module_dict))
            raise ValueError(f'There is no index {kind!r:.80}; known are {known}.')
        return
    parameters = signature(found).parameters
    unknown = sorted(set(arguments) - {'type', *parameters})
    if unknown and all(parameter.kind != Parameter.VAR_KEYWORD for parameter in parameters.values()):
        known = f'; known are {", ".join(parameters)}' if parameters else ''
        raise ValueError(
            f'The index {kind} has no argument {unknown[0]!r:.80}{known}. Correct it in --index-options (index=...).'
        )
