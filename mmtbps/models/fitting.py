"""The one answer to the question whether weights fit a model."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from torch import nn

from mmtbps.core.checkpoint import unwrap_weights
from mmtbps.core.distributed import unwrap

from .clip.positions import GRID, fit_positions

__all__ = ['Use', 'encoders_of', 'fit_weights', 'part_of']

Use = Literal['inference', 'start', 'resume']
"""What weights are loaded for, see :func:`fit_weights`."""

_REMEDIES: dict[str, str] = {
    'inference': 'Take the config that it was trained with.',
    'start': (
        'load_from takes a checkpoint of the same streams and projections. Convert weights of another code base first '
        '(tools/model_converters), give those of a backbone alone to its init_cfg, and name what shall start anew in '
        "default_hooks.fit_weights.ignore, such as ['image_projection.*']."
    ),
    'resume': (
        'Resume with the config that it was trained with, or start a new run from its weights: load_from=CHECKPOINT '
        'without resume.'
    ),
}
_SHOWN = 3
# Norms work without it, and some files lack it.
_OPTIONAL = 'num_batches_tracked'


def encoders_of(model: nn.Module) -> tuple[str, ...]:
    """Name the parts whose weights inference needs: what a retriever calls its ``encoders``, else all."""
    own = (model._modules, model._parameters, model._buffers)
    return tuple(getattr(model, 'encoders', None) or (name for members in own for name in members))


def part_of(model: nn.Module, name: str) -> str:
    """Name the part of a model that a weight belongs to, such as ``'queue'`` or ``'heads.identity'``.

    Args:
        model: The model; it need not have that part.
        name: Name of the weight.

    Returns:
        Name of a child, or of a member of a child that is a dictionary of modules.
    """
    module: Any = model
    parts: list[str] = []
    for part in name.split('.'):
        parts.append(part)
        module = module._modules.get(part)
        if not isinstance(module, nn.ModuleDict):
            break
    return '.'.join(parts)


def fit_weights(
    model: nn.Module,
    checkpoint: Mapping[str, Any],
    use: Use = 'inference',
    source: str = 'The checkpoint',
    ignore: Sequence[str] = (),
    adapt: Callable[[dict[str, Any]], list[str]] | None = None,
) -> list[str]:
    """Load weights into a model, or refuse them with a list of what does not fit.

    They are unwrapped first (:func:`~mmtbps.core.checkpoint.unwrap_weights`). What has to fit depends on their use:

    - ``'inference'``: the encoders (:func:`encoders_of`), completely and exactly. Of the other parts
      (:func:`part_of`) those that fit are loaded as well.
    - ``'start'`` of a training: the encoders, and every other part that both model and checkpoint have. What only the
      checkpoint has is left out, and what only the model has keeps its values. Positions of another grid are resized.
    - ``'resume'``: everything.

    Args:
        model: The model; also one inside a wrapper for distributed training.
        checkpoint: A checkpoint in any layout that can be unwrapped.
        use: What the weights are for. Defaults to ``'inference'``.
        source: Where they come from, for messages.
        ignore: Patterns (as of :mod:`fnmatch`) of names that are not taken from the checkpoint, and that it may lack.
        adapt: Called with the weights before they are loaded, which it may change; returns lines for the log. Defaults
            to None: they are loaded as they are.

    Returns:
        What was done besides loading, and what was left out, one line each, for the log.

    Raises:
        ValueError: If there are no weights, if they do not fit, or if a pattern matches no name.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2))
        >>> fit_weights(model, {'model': {f'module.{name}': value for name, value in model.state_dict().items()}})
        []
    """
    net = unwrap(model)
    weights = unwrap_weights(checkpoint, source)
    ignored = _matching({*weights, *net.state_dict()}, ignore)
    for name in ignored & weights.keys():
        del weights[name]
    lines = adapt(weights) if adapt else []
    unused = _leave_out(net, weights, use)
    resized, errors = _fit_grids(net, weights, use)
    missing, unexpected, others = _load(net, weights)
    missing = [name for name in missing if name not in ignored and name.split('.')[-1] != _OPTIONAL]
    kept = [] if use == 'resume' else _of_absent_parts(net, missing, weights)
    faults = {
        'it lacks {}': sorted(set(missing) - set(kept)),
        'it has {} too many': unexpected,
        '{}': list(dict.fromkeys(errors + others)),
    }
    if any(faults.values()):
        told = [text.format(_first(names)) for text, names in faults.items() if names]
        told += [f'there is no use for {_counted(net, unused)}'] if unused else []
        raise ValueError(f'{source} does not fit {type(net).__name__}: {"; ".join(told)}. {_REMEDIES[use]}')
    lines += resized
    if ignored:
        lines.append(f'Not taken from {source}, as ignore says: {_first(sorted(ignored))}.')
    if unused:
        lines.append(f'Not used of {source}: {_counted(net, unused)}.')
    if kept and use == 'start':
        lines.append(f'Not in {source} and so as initialised: {_counted(net, kept)}.')
    return lines


def _matching(names: Collection[str], patterns: Sequence[str]) -> set[str]:
    """Names that match a pattern; every pattern must match one."""
    found = {pattern: {name for name in names if fnmatchcase(name, pattern)} for pattern in patterns}
    idle = [pattern for pattern in patterns if not found[pattern]]
    if idle:
        raise ValueError(
            f'ignore={idle} matches no name of model or checkpoint; names are dotted, such as '
            f'{min(names, key=len, default="")!r}, and a * stands for any letters.'
        )
    return set().union(*found.values())


def _leave_out(model: nn.Module, weights: dict[str, Any], use: Use) -> list[str]:
    """Drop, in place, the parts that are no encoders and that the model lacks or, for inference, that do not fit.

    Returns:
        The names.
    """
    if use == 'resume':
        return []
    encoders, own = encoders_of(model), model.state_dict()
    parts: dict[str, set[str]] = {}
    for name in {*own, *weights}:
        parts.setdefault(part_of(model, name), set()).add(name)
    dropped: list[str] = []
    for part, names in parts.items():
        if part.split('.')[0] not in encoders:
            wanted = _has_part(model, part) if use == 'start' else all(_is_same(name, own, weights) for name in names)
            dropped += [] if wanted else names & weights.keys()
    for name in dropped:
        del weights[name]
    return dropped


def _has_part(model: nn.Module, part: str) -> bool:
    *path, last = part.split('.')
    owner = model.get_submodule('.'.join(path))
    return any(last in members for members in (owner._modules, owner._parameters, owner._buffers))


def _is_same(name: str, own: Mapping[str, Any], weights: Mapping[str, Any]) -> bool:
    if name not in weights:
        return name.endswith(_OPTIONAL)
    return name in own and getattr(own[name], 'shape', None) == getattr(weights[name], 'shape', None)


def _fit_grids(model: nn.Module, weights: dict[str, Any], use: Use) -> tuple[list[str], list[str]]:
    """Resize positions of other grids, in place; returns a line for each that may be, and one for each that may not."""
    resized, errors = [], []
    for path, module in model.named_modules():
        if GRID in module._buffers:
            grid = tuple(module.get_buffer(GRID).tolist())
            try:
                old = fit_positions(weights, grid, f'{path}.' if path else '')
            except ValueError as error:
                errors.append(str(error))
                continue
            if old not in (None, grid):
                change = f'positions of {path} from {old[0]} x {old[1]} to {grid[0]} x {grid[1]}'
                if use == 'start':
                    resized.append(f'Resized {change}.')
                else:
                    errors.append(f'{use} needs the input_size of the training: it would resize {change}')
    return resized, errors


def _of_absent_parts(model: nn.Module, missing: Sequence[str], weights: Collection[str]) -> list[str]:
    """Those of the missing names that belong to no encoder, and to a part of which nothing is given."""
    encoders, given = encoders_of(model), {part_of(model, name) for name in weights}
    return [name for name in missing if name.split('.')[0] not in encoders and part_of(model, name) not in given]


def _load(model: nn.Module, weights: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Load what fits; returns the names that are missing and too many, and what else was wrong, a line each."""
    found: list[Any] = []
    handle = model.register_load_state_dict_post_hook(lambda _, keys: found.append(keys))
    errors: list[str] = []
    try:
        model.load_state_dict(weights, strict=False)
    except ValueError as error:  # a module's own, such as positions of an unknown grid
        errors = [str(error)]
    except RuntimeError as error:  # a line for every weight of another shape, below a title
        errors = [line.strip().rstrip('.') for line in str(error).splitlines()[1:]]
    finally:
        handle.remove()
    missing, unexpected = found[0] if found else ([], [])
    return sorted(missing), sorted(unexpected), errors


def _first(names: Sequence[str]) -> str:
    """The first few of them, and how many there are."""
    rest = f', ... ({len(names)} in all)' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + rest


def _counted(model: nn.Module, names: Sequence[str]) -> str:
    """Their parts with the number of weights of each."""
    counts = Counter(part_of(model, name) for name in names)
    return ', '.join(f'{part} ({count} weight{"s" if count > 1 else ""})' for part, count in sorted(counts.items()))
