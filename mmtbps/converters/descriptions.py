"""What stands beside weights or in open_clip's list of models, and what the weights themselves do not tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import open_clip

from mmtbps.core.json_text import parse_json
from mmtbps.models.clip.weights import read_model_config

from .towers import VOCABULARY, Options

__all__ = ['Description', 'beside', 'configs_beside', 'of_open_clip', 'vision_head_widths']

_OPEN_CLIP_CONFIG, _TRANSFORMERS_CONFIG = 'open_clip_config.json', 'config.json'
_OF_TOWERS = dict(
    vision_cfg={'image_size', 'layers', 'width', 'head_width', 'mlp_ratio', 'patch_size', 'patch_dropout'},
    text_cfg={'context_length', 'vocab_size', 'width', 'heads', 'layers', 'mlp_ratio'},
)
"""What open_clip says of plain towers of CLIP, by tower."""

# What open_clip takes for what a config leaves out.
_VISION = dict(layers=12, width=768, head_width=64, patch_size=16)
_TEXT = dict(layers=12, width=512, heads=8)


@dataclass(frozen=True)
class Description:
    """A description of a CLIP model.

    Args:
        source: Where it is from, for messages.
        sizes: Sizes that its weights must have, by the names of :func:`~mmtbps.converters.towers.sizes_of`.
        vision_heads: Attention heads of the image tower; None if it does not tell.
        text_heads: Attention heads of the text tower; None if it does not tell.
        quick_gelu: Whether the activation is QuickGELU; None if it does not tell.
        preprocessing: Options ``mean``, ``std`` and ``interpolation``, as far as it tells them. Defaults to none.
    """

    source: str
    sizes: Mapping[str, Any]
    vision_heads: int | None
    text_heads: int | None
    quick_gelu: bool | None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    def complete(self, options: Options) -> Options:
        """Take over what options leave open, but for the activation, which weights may tell."""
        told = dict(self.preprocessing, vision_heads=self.vision_heads, text_heads=self.text_heads)
        return replace(options, **{name: value for name, value in told.items() if getattr(options, name) is None})

    def require(self, sizes: Mapping[str, Any]) -> None:
        """Refuse weights of another model.

        Raises:
            ValueError: If a size differs.
        """
        wrong = [f'{name} {sizes.get(name)} instead of {told}' for name, told in self.sizes.items()
                 if sizes.get(name) != told]  # fmt: skip
        if wrong:
            raise ValueError(f'These are not weights of the model of {self.source}: they have {", ".join(wrong)}.')


def of_open_clip(model: str) -> Description:
    """Describe one of open_clip's models.

    Raises:
        ValueError: If there is no such model, or its towers are not plain ones.
    """
    if model not in open_clip.list_models():
        raise ValueError(f'open_clip has no model {model!r}; take a name of open_clip.list_models(), such as ViT-L-14.')
    return _of_config(open_clip.get_model_config(model) or {}, f'{model} of open_clip')


def beside(file: Path, of_transformers: bool) -> Description | None:
    """Describe a model by the config that lies beside its weights.

    Args:
        file: The weights.
        of_transformers: Whether they have the names of the transformers library, whose ``config.json`` counts then.

    Returns:
        The description; None if there is no config.

    Raises:
        ValueError: If a config is not of its kind, or its model has no plain towers.
    """
    path = file.with_name(_TRANSFORMERS_CONFIG)
    is_theirs = of_transformers and path.is_file()
    if not is_theirs:
        path = file.with_name(_OPEN_CLIP_CONFIG)
        if not path.is_file():
            return None
    try:
        found = _of_transformers(_read(path), str(path)) if is_theirs else _of_file(path)
        found.complete(Options())
    except (ArithmeticError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is no config of a model: {error!r}. Fetch it again.') from error
    return found


def configs_beside(file: Path) -> list[Path]:
    """Configs that lie beside weights and may describe them."""
    return [path for name in (_TRANSFORMERS_CONFIG, _OPEN_CLIP_CONFIG) if (path := file.with_name(name)).is_file()]


def vision_head_widths() -> Mapping[tuple[int, Any, int], int]:
    """Channels of a head of open_clip's plain vision transformers, by width, layers and patch size."""
    found = {}
    for model in open_clip.list_models():
        vision = (open_clip.get_model_config(model) or {}).get('vision_cfg', {})
        if 'timm_model_name' not in vision and isinstance(vision.get('layers'), int):
            sizes = {**_VISION, **vision}
            found[sizes['width'], sizes['layers'], sizes['patch_size']] = sizes['head_width']
    return found


def _of_config(config: Mapping[str, Any], source: str) -> Description:
    """Describe a model by open_clip's config of it."""
    _require_plain(config, source)
    vision, text = {**_VISION, **config['vision_cfg']}, {**_TEXT, **config['text_cfg']}
    if isinstance(vision['layers'], int):
        kind = {'image tower': 'ViT', 'patch size': vision['patch_size']}
        heads = vision['width'] // vision['head_width']
    else:
        kind = {'image tower': 'ModifiedResNet'}
        heads = 32 * vision['width'] // vision['head_width']
    sizes = {
        **kind, 'image width': vision['width'], 'image layers': vision['layers'], 'text width': text['width'],
        'text layers': text['layers'], 'length of a feature': config['embed_dim'],
    }  # fmt: skip
    return Description(source, sizes, heads, text['heads'], bool(config.get('quick_gelu', False)))


def _require_plain(config: Mapping[str, Any], source: str) -> None:
    towers = {tower: config.get(tower) for tower in _OF_TOWERS}
    if not all(isinstance(stated, Mapping) for stated in towers.values()):
        raise ValueError(f'{source} needs {" and ".join(towers)}, objects. Fetch it again.')
    others = [
        f'{name} {value!r}'
        for tower, known in _OF_TOWERS.items()
        for name, value in config[tower].items()
        if name not in known or (name == 'vocab_size' and value != VOCABULARY)
    ]
    others += ['multimodal_cfg'] if 'multimodal_cfg' in config else []
    if others:
        raise ValueError(
            f"{source} has not CLIP's plain towers and vocabulary: {', '.join(others)}. Take a model such as ViT-B-16."
        )


def _of_transformers(config: Mapping[str, Any], source: str) -> Description:
    """Describe a model by transformers' config of a CLIPModel, which leaves out what is usual."""
    towers = [tower for name in ('vision_config', 'text_config') if isinstance(tower := config.get(name), Mapping)]
    if len(towers) < 2:
        raise ValueError(
            f"{source} is no config of transformers' CLIPModel: it needs vision_config and text_config. Put the "
            'config.json that was published with the weights there.'
        )
    vision, text = towers
    activations = {str(tower.get('hidden_act', 'quick_gelu')) for tower in (vision, text)}
    if len(activations) > 1 or not activations <= {'quick_gelu', 'gelu'}:
        raise ValueError(f'{source}: hidden_act must be quick_gelu or gelu in both towers, got {sorted(activations)}.')
    sizes = {
        name: tower[key]
        for name, tower, key in (
            ('patch size', vision, 'patch_size'), ('image width', vision, 'hidden_size'),
            ('image layers', vision, 'num_hidden_layers'), ('text width', text, 'hidden_size'),
            ('text layers', text, 'num_hidden_layers'),
        ) if key in tower
    }  # fmt: skip
    # A config leaves out what is usual; one that does not even tell the width tells nothing of the heads.
    vision_heads, text_heads = (
        tower.get('num_attention_heads', usual if 'hidden_size' in tower else None)
        for tower, usual in ((vision, 12), (text, 8))
    )
    return Description(source, sizes, vision_heads, text_heads, activations == {'quick_gelu'})


def _of_file(path: Path) -> Description:
    """Describe a model by the ``open_clip_config.json`` that open_clip publishes."""
    found, stated = _of_config(read_model_config(path), str(path)), _read(path).get('preprocess_cfg') or {}
    told: dict[str, Any] = {
        name: tuple(255.0 * value for value in stated[name]) for name in ('mean', 'std') if name in stated
    }
    if stated.get('interpolation') in ('bilinear', 'bicubic'):
        told['interpolation'] = stated['interpolation']
    return replace(found, preprocessing=told)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f'{path}: {error}. Fetch it again from where the weights came from.') from error
    return content if isinstance(content, dict) else {}
