"""Conversion of files: a checkpoint of another code base becomes a checkpoint and a config of ours, or back."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmtbps.core.files import file_sha256, write_atomically
from mmtbps.models.clip.huggingface import is_huggingface
from mmtbps.version import __version__

from .clip_dual import Converted, from_ours, layout_named, to_ours
from .descriptions import Description, beside, of_open_clip
from .layouts import CLIP_LAYOUTS, Layout, recognise
from .reading import find_file, read_weights
from .textreid import mmtbps_to_textreid
from .textreid_files import TEXTREID, convert_textreid, describe_data, is_textreid, load_table
from .towers import Options

__all__ = ['convert_file', 'layout_names', 'parse_options', 'revert_file']


def convert_file(
    source: str | Path,
    target: str | Path,
    layout: str | None = None,
    options: Options | None = None,
    about: Mapping[str, Any] | None = None,
    words: str | Path | None = None,
    word_table: str | Path | None = None,
) -> Converted:
    """Write a checkpoint of another code base as one of ours, and beside it the config that goes with it.

    Args:
        source: Its file, or a folder of open_clip's.
        target: What the checkpoint shall be called, ending in ``.pth``; the config has the same name and ends in
            ``.py``.
        layout: Name of its layout. Defaults to None: recognised by the names of its weights.
        options: What the weights do not tell. Defaults to None: what the layout says.
        about: Further entries for the checkpoint's ``meta['origin']``, such as a licence. Defaults to none.
        words: For the layout textreid, a file with the word of every row of its embedding, one a line: ``<pad>``,
            ``<unk>``, then the words. Defaults to None: the checkpoint then answers no sentence by itself.
        word_table: Likewise, the vectors of the words, ``.npy`` or one tensor in ``.pth``, unless they were learnt; the
            public code keeps them apart. Defaults to None.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read or converted, or ``target`` has another ending.
    """
    target = Path(target)
    if target.suffix != '.pth':
        raise ValueError(f'The converted checkpoint must end in .pth, got {target}.')
    file = find_file(source)
    try:
        converted = _convert(file, options or Options(), layout, word_table)
    except ValueError as error:
        raise ValueError(str(error) if str(file) in str(error) else f'{file}: {error}') from error
    origin = dict(
        file=file.name, sha256=file_sha256(file), layout=converted.layout, converter=f'mmtbps {__version__}',
        **(about or {}),
    )  # fmt: skip
    head = f'# {file.name} (SHA-256 {origin["sha256"]}), layout {converted.layout}, by {origin["converter"]}.\n'
    meta = dict(origin=origin, dataset_meta=describe_data(words, converted.weights) if words else {})
    write_atomically(target.with_suffix('.py'), (head + Config(converted.config).pretty_text).encode())
    _save(target, dict(meta=meta, state_dict=converted.weights))
    return converted


def revert_file(source: str | Path, target: str | Path, layout: str, learnt_words: bool = False) -> list[str]:
    """Write the encoders of a checkpoint of ours in another layout, as ``{'model': ...}``, which public readers take.

    Args:
        source: The checkpoint.
        target: The file to write.
        layout: Name of the layout.
        learnt_words: For the layout textreid, whether the vectors of the words were learnt and go along, instead of
            CLIP's, which it keeps apart. Defaults to False.

    Returns:
        Names of the weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a weight of the encoders has no counterpart there.
    """
    file = find_file(source)
    ours = read_weights(file)
    weights = mmtbps_to_textreid(ours, learnt_words) if layout == TEXTREID else from_ours(ours, layout_named(layout))
    _save(Path(target), dict(model=weights))
    return list(weights)


def layout_names() -> list[str]:
    """Names of the layouts that are known."""
    return [*(layout.name for layout in CLIP_LAYOUTS), TEXTREID]


def _convert(file: Path, options: Options, layout: str | None, word_table: str | Path | None) -> Converted:
    weights = read_weights(file)
    if layout == TEXTREID or (layout is None and is_textreid(weights)):
        return convert_textreid(weights, None if word_table is None else load_table(word_table), options.vision_heads)
    chosen = None if layout is None else layout_named(layout)
    return to_ours(weights, options, chosen, _descriptions(file, weights, options, chosen or recognise(weights)))


def _descriptions(file: Path, weights: Mapping[str, Any], options: Options, layout: Layout | None) -> list[Description]:
    """What is known of a released CLIP model: by the config beside its file, then by open_clip's name of it."""
    of_transformers = is_huggingface(weights)
    if not of_transformers and (layout is None or not layout.released):
        return []
    found = [beside(file, of_transformers)]
    if options.model is not None:
        named = of_open_clip(options.model)
        # OpenAI's files of transformers are not open_clip's: a name without -quickgelu leaves their activation open.
        found.append(replace(named, quick_gelu=named.quick_gelu or None) if of_transformers else named)
    return [description for description in found if description is not None]


def parse_options(given: Sequence[str]) -> Options:
    """Read options such as ``input_size=384x128``, ``mean=123,117,104`` and ``quick_gelu=true``.

    Raises:
        ValueError: If one is unknown or has another form.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition('=')
        if not sign or name not in _READERS:
            raise ValueError(f'--option {text!r}: write NAME=VALUE with one of the names {", ".join(_READERS)}.')
        try:
            found[name] = _READERS[name](value)
        except (ValueError, KeyError) as error:
            raise ValueError(f'--option {text!r}: write it like {name}={_EXAMPLES[name]}.') from error
    return Options(**found)


def _size(text: str) -> tuple[int, int]:
    height, width = map(int, text.lower().split('x'))
    if min(height, width) < 1:
        raise ValueError(text)
    return height, width


def _channels(text: str) -> tuple[float, float, float]:
    red, green, blue = map(float, text.split(','))
    return red, green, blue


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


_EXAMPLES = dict(
    input_size='384x128', stride='16', vision_heads='12', text_heads='8', quick_gelu='true', mean='123.7,116.3,103.5',
    std='58.4,57.1,57.4', interpolation='bicubic', vocab_size='49408', model='ViT-H-14',
)  # fmt: skip
_READERS: dict[str, Callable[[str], Any]] = dict(
    input_size=_size, stride=_count, vision_heads=_count, text_heads=_count,
    quick_gelu=lambda text: dict(true=True, false=False)[text.lower()], mean=_channels, std=_channels,
    interpolation=lambda text: dict(bilinear='bilinear', bicubic='bicubic')[text], vocab_size=_count, model=str,
)  # fmt: skip


def _save(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())
