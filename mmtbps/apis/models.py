"""All models of the library by name, in one list, which MMPretrain's hub knows too."""

import fnmatch
from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.apis.model import ModelHub
from modelindex.models.Model import Model

from mmtbps.core.devices import default_device
from mmtbps.engine.data_sizes import resolve_data_sizes
from mmtbps.registry import MODELS
from mmtbps.search import ModelEncoder
from mmtbps.zoo import known_entries, model_files, named_configs, read_config, require_named

__all__ = ['get_model', 'list_models', 'register_models']

_INDEX = Path(__file__).parents[1] / '.mim' / 'model-index.yml'


def list_models(pattern: str | None = None) -> list[str]:
    """List the models of this library: published weights, which are fetched by name, and the names of its configs.

    Every name is taken by ``--model`` and ``--config`` of the commands and by :func:`get_model`. Models of the list are
    in MMPretrain's hub as well: ``mmpretrain.get_model`` and ``mmpretrain.list_models`` know them afterwards.

    Args:
        pattern: Pattern of the names, with ``*`` for any characters. Defaults to None: all.

    Returns:
        The names: published models first, then configs.

    Example:
        >>> list_models('clip-*')
        ['clip-vit-b16', 'clip-rn50', 'clip-rn101']
    """
    register_models()
    return [name for name in _names() if fnmatch.fnmatch(name, pattern or '*')]


def get_model(
    name: str | Path, pretrained: bool | str | Path = True, device: str | torch.device | None = None
) -> torch.nn.Module:
    """Build a model by name.

    Args:
        name: A name of :func:`list_models`, a config file, or the folder of a training.
        pretrained: Whether to load its weights, which are fetched if need be, or the file of other weights. Defaults
            to True.
        device: Where the model shall be. Defaults to None: CUDA if there is one, else the CPU.

    Returns:
        The retriever, in evaluation mode, with ``encode_image`` and ``encode_text``.

    Raises:
        FileNotFoundError: If there are no weights.
        ValueError: If there is no such model, or the weights do not fit it.
    """
    device = default_device() if device is None else device
    if pretrained is True:
        config, weights = require_named(str(name))
        return ModelEncoder(read_config(config), weights, device).model
    config = read_config(name)
    if pretrained:
        return ModelEncoder(config, pretrained, device).model
    init_default_scope('mmtbps')
    return MODELS.build(resolve_data_sizes(config, {}).model).to(device).eval()


def register_models() -> None:
    """Enter the models into MMPretrain's hub: the configs of the model index, and published ones that are here."""
    if not all(map(ModelHub.has, named_configs())):
        ModelHub.register_model_index(_INDEX, config_prefix=_INDEX.parent)
    for name in known_entries():
        config, weights = model_files(name)
        if config.is_file() and weights.is_file():
            content = Config.fromfile(config)
            content.model._scope_ = 'mmtbps'  # MMPretrain builds in its own scope
            ModelHub._models_dict[name] = Model(name=name, config=content, weights=str(weights))


def _names() -> Iterable[str]:
    return [*known_entries(), *named_configs()]
