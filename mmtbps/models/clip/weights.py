"""Finding and reading released CLIP weights."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import open_clip
from mmengine import dist
from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model
from safetensors.torch import load_file
from torch import Tensor

from mmtbps.core.checkpoint import load_checkpoint_file, reason_of, unwrap_weights
from mmtbps.core.json_text import parse_json

from .huggingface import from_huggingface, is_huggingface
from .torchscript_archive import is_torchscript, read_torchscript_weights

__all__ = ['CLIPWeights', 'load_clip_weights', 'read_model_config']

# OpenAI stores these sizes among the weights, others do not.
_OPENAI_SIZES = ('context_length', 'input_resolution', 'vocab_size')
# Where OpenAI's package and open_clip keep files by their addresses.
_CACHE = Path('~/.cache/clip')
_TEXT_PARTS = ('positional_embedding', 'text_projection', 'token_embedding', 'transformer', 'ln_final')


@dataclasses.dataclass(frozen=True)
class CLIPWeights:
    """Weights of both towers of a CLIP model.

    Attributes:
        state_dict: Tensors in open_clip's names; floating point ones are float32.
        quick_gelu: Whether the weights belong to QuickGELU; None if neither file nor tag tells.
        source: Where they come from, for messages.
    """

    state_dict: dict[str, Tensor]
    quick_gelu: bool | None
    source: str

    def tower(self, name: str) -> dict[str, Tensor]:
        """Take the weights of one tower.

        Args:
            name: ``'visual'`` or ``'text'``.

        Returns:
            Tensors in the names of open_clip's class of that tower.

        Raises:
            ValueError: If there are none.
        """
        prefix = f'{name}.'
        found = {key.removeprefix(prefix): self.state_dict[key] for key in self.state_dict if key.startswith(prefix)}
        if name == 'text' and not found:
            # The original layout has the text tower at the top; its causal mask is no weight.
            found = {key: value for key, value in self.state_dict.items() if key.split('.')[0] in _TEXT_PARTS}
        found = {key: value for key, value in found.items() if key.split('.')[-1] != 'attn_mask'}
        if not found:
            raise ValueError(
                f'{self.source} has no {name} tower of CLIP; its tensors begin with '
                f'{sorted({key.split(".")[0] for key in self.state_dict})[:8]}. Take the file of a whole CLIP model; '
                "one of open_clip's tags, such as 'openai', fetches it."
            )
        return found

    def unexpected_keys(self) -> list[str]:
        """Names that belong to neither tower, nor to the scale between them."""
        known = {'visual', 'text', 'logit_bias', 'logit_scale', 'attn_mask', *_TEXT_PARTS}
        return [name for name in self.state_dict if name.split('.')[0] not in known]


def load_clip_weights(checkpoint: str | os.PathLike, model: str | None = None) -> CLIPWeights:
    """Read released CLIP weights without running any code that a file may carry.

    Args:
        checkpoint: A file (safetensors, a state dict or checkpoint of open_clip or transformers, OpenAI's TorchScript
            archive), or one of open_clip's tags of ``model``, such as ``'openai'`` or ``'laion2b_s34b_b88k'``, which is
            downloaded once.
        model: Name of open_clip's model, such as ``'ViT-B-16'``. A file does not need it.

    Returns:
        The weights in single precision.

    Raises:
        FileNotFoundError: If there is no such file, or it cannot be downloaded; says what to fetch.
        ValueError: If the tag is unknown, or the file is damaged or holds other things than weights.
    """
    path = Path(checkpoint)
    tag = None if path.is_file() or model is None else get_pretrained_cfg(model, str(checkpoint))
    if path.is_file():
        quick_gelu = _quick_gelu_of_config(path, model)
    elif tag:
        path = _download(tag, str(checkpoint), str(model))
        quick_gelu = bool(tag.get('quick_gelu', False))
    else:
        raise FileNotFoundError(_advice(str(checkpoint), model))
    state = _read(path, _address(tag or (model and get_pretrained_cfg(model, 'openai')) or {}))
    if quick_gelu is None and all(name in state for name in _OPENAI_SIZES):
        quick_gelu = True
    if is_huggingface(state):
        state = _in_our_names(state, path)
    weights = {
        name: value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if name not in _OPENAI_SIZES
    }
    return CLIPWeights(weights, quick_gelu, f'{model} {checkpoint} ({path})' if tag else str(path))


def _in_our_names(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    try:
        return from_huggingface(state)
    except ValueError as error:
        raise ValueError(
            f'{path} has the names of the transformers library (Hugging Face), and not all of the weights: {error} '
            "Fetch it again (model.safetensors or pytorch_model.bin), or name a tag of open_clip's, such as 'openai'."
        ) from error


def read_model_config(path: str | os.PathLike) -> dict[str, Any]:
    """Read the sizes of a model from the ``open_clip_config.json`` that open_clip publishes beside its files.

    Args:
        path: The file.

    Returns:
        Its ``model_cfg``: ``embed_dim``, ``vision_cfg``, ``text_cfg`` and, for some, ``quick_gelu``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file.
    """
    try:
        content = parse_json(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f'{path}: {error}. Fetch it again from where the weights came from.') from error
    model = content.get('model_cfg') if isinstance(content, dict) else None
    if not isinstance(model, dict) or not {'embed_dim', 'text_cfg'} <= set(model):
        raise ValueError(
            f"{path} is no config of open_clip: it needs 'model_cfg' with 'embed_dim' and 'text_cfg'. Fetch it again "
            'from where the weights came from.'
        )
    return model


def _read(path: Path, address: str) -> dict[str, Tensor]:
    try:
        if path.suffix == '.safetensors':
            state: dict[str, Any] = load_file(path)
        elif is_torchscript(path):
            state = read_torchscript_weights(path)
        else:
            state = load_checkpoint_file(path)
    except Exception as error:  # readers raise errors of many kinds on damaged files
        raise ValueError(
            f'{path} cannot be read as CLIP weights: {reason_of(error)}. It is cut short, damaged, of another format, '
            'or holds other objects, which are never loaded. Known are safetensors, state dicts and checkpoints of '
            f'open_clip, and OpenAI archives; fetch {address or "it"} again and put it there.'
        ) from error
    return unwrap_weights(state, str(path))


def _quick_gelu_of_config(path: Path, model: str | None) -> bool | None:
    """Activation by the config that open_clip publishes beside its files, or by the model's name."""
    config = path.with_name('open_clip_config.json')
    if config.is_file():
        return bool(read_model_config(config).get('quick_gelu', False))
    if model is not None and (open_clip.get_model_config(model) or {}).get('quick_gelu'):
        return True
    return None


def _download(tag: dict[str, Any], name: str, model: str) -> Path:
    """Find a tag's file in the caches or fetch it, first in one process of each machine."""
    # open_clip prefers the hub, and would not look for a file that lies where OpenAI's package puts it.
    prefer_hub = not (_CACHE.expanduser() / Path(tag.get('url') or '.').name).is_file()
    try:
        if dist.get_local_rank() == 0:
            download_pretrained(tag, prefer_hf_hub=prefer_hub)
        dist.barrier()
        return Path(download_pretrained(tag, prefer_hf_hub=prefer_hub))
    except Exception as error:  # network, disk and hub raise errors of many kinds
        raise FileNotFoundError(
            f'The weights {name!r} of {model} cannot be downloaded: {error} On a machine with network, fetch '
            f'{_address(tag)}; copy it here and set checkpoint to its path'
            + (f', or put the former into {_CACHE}.' if tag.get('url') else '.')
        ) from error


def _address(tag: dict[str, Any]) -> str:
    addresses = []
    if tag.get('url'):
        addresses.append(tag['url'])
    if tag.get('hf_hub'):
        addresses.append(f'open_clip_model.safetensors of https://huggingface.co/{tag["hf_hub"].strip("/")}')
    return ' or '.join(addresses)


def _advice(checkpoint: str, model: str | None) -> str:
    missing = f'There is no file {checkpoint!r}'
    if model is None:
        return f"{missing}. For one of open_clip's tags name the model as well (arch or model), such as 'ViT-B-16'."
    tags = list_pretrained_tags_by_model(model)
    if not tags:
        return f'{missing}, and open_clip publishes no weights of a model {model!r}.'
    openai = get_pretrained_cfg(model, 'openai')
    fetch = f" OpenAI's file is {_address(openai)}; set checkpoint to where you put it." if openai else ''
    return f'{missing}, and it is no tag of {model}; its tags are {tags}.{fetch}'
