"""Conversion of files: a checkpoint of another code base becomes a checkpoint and a config of ours, or back."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmtbps.core.files import file_sha256
from mmtbps.models.clip.huggingface import is_huggingface
from mmtbps.version import __version__

from .clip_dual import Converted, from_ours, layout_named, to_ours
from .descriptions import Description, beside, of_open_clip
from .layouts import CLIP_LAYOUTS, Layout, recognise
from .names import listed
from .reading import find_file, read_weights
from .textreid import mmtbps_to_textreid
from .textreid_files import TEXTREID, convert_textreid, describe_data, has_table, is_textreid, load_table
from .towers import Options
from .writing import CONFIG_HEAD, require_place, write_checkpoint, write_pair

__all__ = ['convert_file', 'layout_names', 'parse_options', 'revert_file']

_STREAMS = ('image_stream.', 'text_stream.')


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
        OSError: If the result cannot be written.
        ValueError: If it cannot be read or converted, an argument is not for its layout, ``target`` has another ending,
            or something else stands where the result would.
    """
    target = Path(target)
    if target.suffix != '.pth':
        raise ValueError(f'The converted checkpoint must end in .pth, got {target}.')
    file, config = find_file(source), target.with_suffix('.py')
    require_place(target, [part for part in (file, words, word_table) if part is not None], config)
    try:
        converted = _convert(file, options or Options(), layout, words, word_table)
    except ValueError as error:
        raise _about(file, error) from error
    if converted.layout == TEXTREID:
        _tell_what_sentences_need(file, words, converted.weights)
    origin = dict(
        file=file.name, sha256=file_sha256(file), layout=converted.layout, converter=f'mmtbps {__version__}',
        **(about or {}),
    )  # fmt: skip
    meta = dict(origin=origin, dataset_meta=describe_data(words, converted.weights) if words else {})
    text = CONFIG_HEAD.format(**{**origin, 'file': ' '.join(file.name.split())}) + Config(converted.config).pretty_text
    write_pair(target, dict(meta=meta, state_dict=converted.weights), config, text)
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
        OSError: If the result cannot be written.
        ValueError: If it is no checkpoint of ours, the layout has no place for a weight of the encoders or needs
            others, or ``learnt_words`` is not for the layout.
    """
    file = find_file(source)
    require_place(Path(target), [file])
    if learnt_words and layout != TEXTREID:
        raise ValueError(f'--learnt-words is for the layout {TEXTREID}, not for {layout}; leave it out.')
    try:
        weights = _revert(read_weights(file), layout, learnt_words)
    except ValueError as error:
        raise _about(file, error) from error
    write_checkpoint(Path(target), dict(model=weights))
    return list(weights)


def layout_names() -> list[str]:
    """Names of the layouts that are known."""
    return [*(layout.name for layout in CLIP_LAYOUTS), TEXTREID]


def _about(file: Path, error: ValueError) -> ValueError:
    """The same error with the name of the file that it is about."""
    return ValueError(str(error) if str(file) in str(error) else f'{file}: {error}')


def _revert(ours: Mapping[str, Any], layout: str, learnt_words: bool) -> dict[str, Any]:
    missing = [f'{part}*' for part in _STREAMS if not any(name.startswith(part) for name in ours)]
    if missing:
        raise ValueError(
            f'This is no checkpoint of a retriever of mmtbps: it has no {" and no ".join(missing)}; its names are '
            f'such as {listed(ours, 4)}. To convert it into one leave --reverse out.'
        )
    return mmtbps_to_textreid(ours, learnt_words) if layout == TEXTREID else from_ours(ours, layout_named(layout))


def _convert(
    file: Path, options: Options, layout: str | None, words: str | Path | None, word_table: str | Path | None
) -> Converted:
    weights = read_weights(file)
    if layout == TEXTREID or (layout is None and is_textreid(weights)):
        _require_used(options, ('vision_heads',), TEXTREID)
        return convert_textreid(weights, None if word_table is None else load_table(word_table), options.vision_heads)
    if words is not None or word_table is not None:
        raise ValueError(f'--words and --word-table are for the layout {TEXTREID}; leave them out.')
    chosen = None if layout is None else layout_named(layout)
    converted = to_ours(weights, options, chosen, _descriptions(file, weights, options, chosen or recognise(weights)))
    if not layout_named(converted.layout).released:
        _require_used(options, [name for name in _READERS if name != 'model'], converted.layout)
    return converted


def _tell_what_sentences_need(file: Path, words: str | Path | None, weights: Mapping[str, Any]) -> None:
    lacking = [f'{what} ({option} FILE)' for what, option, there in (
        ('words', '--words', words is not None), ('vectors of words', '--word-table', has_table(weights)),
    ) if not there]  # fmt: skip
    if lacking:
        warnings.warn(
            f'{file} comes without {" and ".join(lacking)}; the result answers no sentence by itself. Convert it again '
            'with them to search with it.',
            stacklevel=3,
        )


def _require_used(options: Options, used: Collection[str], layout: str) -> None:
    """Refuse options that a layout has no use for."""
    idle = [name for name in options.given() if name not in used]
    if idle:
        raise ValueError(
            f'--option {", ".join(idle)}: the layout {layout} has no use for it, only for {", ".join(used)}. '
            'Leave it out.'
        )


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
        if name in found:
            raise ValueError(f'--option {text!r}: {name} is given twice; give it once.')
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
