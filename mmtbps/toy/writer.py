"""Writes the toy data set in CUHK-PEDES's layout."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from filelock import FileLock

from mmtbps.core.terminal import progress_bar, tell

from .attributes import SPLITS, sample_person, sample_shots, stream
from .grammar import describe_image
from .scene import draw_image
from .wording import WORDINGS

__all__ = ['SPEC_FILE', 'ToySpec', 'read_spec', 'write_toy_pedes']

SPEC_FILE = 'toypedes.json'
Tokenize = Callable[[str], list[str]]

_JPEG_QUALITY = 92  # as CUHK-PEDES's own crops


@dataclass(frozen=True)
class ToySpec:
    """What decides every byte of a toy data set.

    The first identities of a split are the same whatever the numbers are.

    Args:
        num_train_ids: Identities to train on. Defaults to 2500, enough for a small network from scratch.
        num_val_ids: Identities to select on. Defaults to 100.
        num_test_ids: Identities to report on. Defaults to 200.
        images_per_id: Images of each identity, each from another view as far as there are views. Defaults to 2.
        seed: Defaults to 0.
        version: Of the drawing and the grammar; raised when they change. Not to be set.
        words: ``'all'``: every caption may use every word of the lexicon. ``'unseen'``: the captions of the test
            split use words that training and validation never show, synonyms such as 'crimson', 'trousers' and
            'rucksack', wherever there are any. ``'seen'``: no caption uses those words, to compare with; its training
            split is that of ``'unseen'``. Defaults to 'all'.

    Raises:
        ValueError: If an argument is out of range.
    """

    num_train_ids: int = 2500
    num_val_ids: int = 100
    num_test_ids: int = 200
    images_per_id: int = 2
    seed: int = 0
    version: int = 2
    words: str = 'all'

    def __post_init__(self) -> None:
        if self.words not in WORDINGS:
            raise ValueError(f'words must be one of {WORDINGS}, but got {self.words!r}.')
        for name, value in asdict(self).items():
            if name == 'words':
                continue
            lowest = 0 if name == 'seed' else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise ValueError(f'{name} must be an integer of at least {lowest}, but got {value!r}.')

    def wording(self, split: str) -> str:
        """Which words the captions of a split use."""
        return 'seen' if self.words == 'unseen' and split != 'test' else self.words

    def to_json(self) -> str:
        """Write the arguments down; ``words`` only where it is not the default, which is younger than data sets."""
        content = asdict(self)
        if self.words == 'all':
            del content['words']
        return json.dumps(content, indent=2)

    def identities(self) -> list[tuple[int, str, int]]:
        """Raw id (from 1, CUHK-PEDES's way), split and number within the split of every identity."""
        counts = (self.num_train_ids, self.num_val_ids, self.num_test_ids)
        places = [(split, index) for split, count in zip(SPLITS, counts, strict=True) for index in range(count)]
        return [(raw_id, split, index) for raw_id, (split, index) in enumerate(places, start=1)]


def read_spec(root: str | Path) -> ToySpec:
    """Read what a drawn data set was drawn from.

    Args:
        root: The data root.

    Raises:
        ValueError: If there is no toy data set, or one of another version.
    """
    file = Path(root) / SPEC_FILE
    try:
        stored = json.loads(file.read_text(encoding='utf-8'))
        return ToySpec(**stored)
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(
            f'{root} holds something else than a ToyPEDES of this version ({SPEC_FILE}: {error}). Move it away, or '
            'choose another data_root.'
        ) from error


def _write_identity(
    folder: Path, spec: ToySpec, tokenize: Tokenize, raw_id: int, split: str, index: int
) -> list[dict[str, Any]]:
    """Draw and describe the images of one identity; returns their annotation."""
    person = sample_person(spec.seed, split, index)
    entries = []
    for number, shot in enumerate(sample_shots(spec.seed, split, index, spec.images_per_id)):
        rng = stream(spec.seed, split, index, 2 + number)
        path = folder / 'imgs' / shot.camera / f'{raw_id:05d}_{number}.jpg'
        captions = [caption.text for caption in describe_image(person, shot, rng, spec.wording(split))]
        encoded = cv2.imencode('.jpg', draw_image(person, shot, rng), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
        entries.append(
            dict(
                split=split,
                captions=captions,
                file_path=path.relative_to(folder / 'imgs').as_posix(),
                processed_tokens=[tokenize(caption) for caption in captions],
                id=raw_id,
            )
        )
    return entries


def _write(folder: Path, spec: ToySpec, tokenize: Tokenize) -> None:
    """Draw everything into a folder."""
    identities = spec.identities()
    annotation = []
    for raw_id, split, index in progress_bar(len(identities), 'drawing', iterable=identities):
        annotation += _write_identity(folder, spec, tokenize, raw_id, split, index)
    (folder / 'reid_raw.json').write_text(json.dumps(annotation), encoding='utf-8')
    (folder / SPEC_FILE).write_text(spec.to_json(), encoding='utf-8')


def _is_drawn(root: Path, spec: ToySpec) -> bool:
    """Whether the data set is there; anything else in its place is an error."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if (found := read_spec(root)) != spec:
        raise ValueError(
            f'{root} holds a ToyPEDES drawn with {found}, but {spec} is asked for. Move it away, or choose another '
            'data_root.'
        )
    return True


def _require_place(root: Path) -> None:
    """Refuse a folder that takes no new files: its lock might be waited for without end."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f'.{root.name}.', dir=root.parent):
            pass
    except OSError as error:
        raise OSError(
            f'ToyPEDES cannot be drawn into {root}: {root.parent} takes no new files ({error.strerror}). Choose '
            'another data_root.'
        ) from error


def write_toy_pedes(root: str | Path, spec: ToySpec, tokenize: Tokenize) -> Path:
    """Draw the toy data set into ``root``, unless it is there already.

    It is drawn into a folder beside ``root`` that takes its name when complete: ``root`` either is a whole data set or
    is not there. What an interrupted drawing left is removed by the next one. A second process waits for the first.

    Args:
        root: The data root; gets ``reid_raw.json``, ``imgs/`` and ``toypedes.json``, the arguments.
        spec: What is drawn.
        tokenize: Splits a caption into the words that the annotation gives as ``processed_tokens``.

    Returns:
        ``root``.

    Raises:
        OSError: If there can be no new files beside ``root``.
        ValueError: If ``root`` holds something else than what is asked for.
    """
    root = Path(os.path.realpath(root))
    if _is_drawn(root, spec):  # without the lock, which a read-only disk does not allow
        return root
    _require_place(root)
    with FileLock(root.with_name(f'.{root.name}.lock')):
        if _is_drawn(root, spec):
            return root
        unfinished = root.with_name(f'.{root.name}.unfinished')
        shutil.rmtree(unfinished, ignore_errors=True)
        count = len(spec.identities()) * spec.images_per_id
        tell(f'Drawing {count} images of ToyPEDES into {root}')
        _write(unfinished, spec, tokenize)
        os.replace(unfinished, root)
    return root
