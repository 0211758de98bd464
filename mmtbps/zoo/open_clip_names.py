"""Models of open_clip by its names: ``clip-vit-b16@laion2b_s34b_b88k``, ``ViT-L-14@openai``, ``RN50@FILE``."""

import open_clip

from mmtbps.converters.descriptions import of_open_clip

from .entries import Entry

__all__ = ['entry_of_tag', 'split_name']

_SHORT = {'clip-vit-b16': 'ViT-B-16', 'clip-rn50': 'RN50', 'clip-rn101': 'RN101'}


def split_name(name: str) -> tuple[str, str]:
    """Split ``MODEL@WHAT`` into open_clip's name of the architecture and a tag or file.

    Raises:
        ValueError: If open_clip has no such architecture.
    """
    model, _, what = name.partition('@')
    known = _SHORT.get(model, model)
    if known not in open_clip.list_models():
        raise ValueError(
            f'{name!r}: open_clip has no model {model!r}. Write {", ".join(_SHORT)} or a name of '
            'open_clip.list_models(), such as ViT-L-14, then @ and a tag or a file.'
        )
    return known, what


def entry_of_tag(name: str, model: str, tag: str) -> Entry:
    """Make the entry of weights that open_clip knows by a tag.

    Args:
        name: What the entry shall be called.
        model: open_clip's name of the model.
        tag: open_clip's tag of the weights.

    Raises:
        ValueError: If there is no such tag, or the model has not CLIP's plain towers.
    """
    known = open_clip.get_pretrained_cfg(model, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(model)
        raise ValueError(f'open_clip has no weights {tag!r} of {model}, and there is no such file; it has {tags}.')
    address = known.get('url') or _hub_address(known['hf_hub'])
    quick = known.get('quick_gelu', of_open_clip(model).quick_gelu)
    options = [f'model={model}', f'quick_gelu={str(bool(quick)).lower()}']
    options += [f'interpolation={known.get("interpolation", "bicubic")}']
    options += [f'{key}={",".join(str(255.0 * value) for value in known[key])}' for key in ('mean', 'std')]
    digest = next((part for part in address.split('/') if len(part) == 64), None)  # OpenAI's addresses have it
    return Entry(
        name, f'CLIP {model}, weights {tag} of open_clip', 'clip', address, sha256=digest, options=tuple(options),
        code_licence='MIT', citation='Radford et al., ICML 2021; Ilharco et al., OpenCLIP',
    )  # fmt: skip


def _hub_address(hub: str) -> str:
    """The address of a file, which is named after the repository or has open_clip's usual name."""
    owner, repository, *file = hub.split('/')
    name = '/'.join(file) or 'open_clip_model.safetensors'
    return f'https://huggingface.co/{owner}/{repository}/resolve/main/{name}'
