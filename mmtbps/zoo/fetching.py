"""Fetching of published weights: download or file, verification, conversion."""

import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmtbps.converters import convert_file, parse_options
from mmtbps.core.files import file_sha256

from .download import download, require_space
from .entries import CLIP_NOTICE, Entry
from .home import entry_named, home, known_entries, model_files
from .trained import keep_training, newer_training

__all__ = ['convert_into', 'fetch_entry', 'fetch_model', 'require_fetched', 'sole_writer']

_TYPICAL = 1_000_000_000
"""Bytes to keep free for a file whose size nobody has told."""


def fetch_model(name: str, file: str | Path | None = None, quiet: bool = False, **words: Any) -> tuple[Path, Path]:
    """Fetch published weights, verify and convert them; what is there already stays.

    Args:
        name: Name of the entry.
        file: The file, if it was fetched by other means: nothing is asked of the network then. Defaults to None: it is
            downloaded from the entry's address.
        quiet: Whether to print nothing. Defaults to False.
        **words: ``words`` and ``word_table`` of :func:`~mmtbps.converters.convert_file`, for the layout textreid.

    Returns:
        Files of config and weights.

    Raises:
        ConnectionError: If it cannot be downloaded.
        FileNotFoundError: If there is no such file, or the entry has no address, so that a page must be opened.
        OSError: If there is no room on the disk.
        ValueError: If there is no such entry, or the file is not what it should be or holds more than weights.
    """
    entry = _entry(name)
    try:
        return fetch_entry(entry, file, quiet, **words)
    except ConnectionError as error:
        raise ConnectionError(
            f'{error} On a machine without network, bring the file and run: mmtbps fetch {name} --file PATH'
        ) from error


def _entry(name: str) -> Entry:
    """An entry of the list, or of open_clip's tags."""
    if '@' not in name or name in known_entries():
        return entry_named(name)
    from .open_clip_names import entry_of_tag, split_name  # imports open_clip

    return entry_of_tag(name, *split_name(name))


def fetch_entry(entry: Entry, file: str | Path | None = None, quiet: bool = False, **words: Any) -> tuple[Path, Path]:
    """Fetch the weights of an entry; see :func:`fetch_model`."""
    found = model_files(entry.name)
    if file is None and _is_here(entry):
        return found
    if file is None and entry.address is None and entry.work_dir is None:
        raise FileNotFoundError(
            f'{entry.name} cannot be downloaded by a program. Open {entry.page or "its page"}, save the file, and run: '
            f'mmtbps fetch {entry.name} --file PATH'
        )
    with sole_writer(entry.name):
        if file is not None or not _is_here(entry):
            _fetch(entry, file, quiet, **words)
    return found


def _is_here(entry: Entry) -> bool:
    """Whether the model is stored, and no training of it has ended since."""
    stored = all(file.is_file() for file in model_files(entry.name))
    return stored and (entry.work_dir is None or newer_training(entry.name, Path(entry.work_dir)) is None)


def sole_writer(name: str) -> FileLock:
    """Lock a model: other processes, such as those of a distributed run, may want to write it this moment."""
    folder = model_files(name)[1].parent
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / f'.{name}.lock')


def _fetch(entry: Entry, file: str | Path | None, quiet: bool, **words: Any) -> None:
    """Get the file, verify and convert it."""
    if entry.work_dir is not None:
        keep_training(entry.name, Path(file or entry.work_dir))
        return
    if not quiet:
        _tell_terms(entry)
    if file is not None:
        digest = _verify(Path(file), entry)
        source = Path(file)
    else:
        source = home() / 'downloads' / f'{entry.name}{Path(entry.address or "").suffix or ".pth"}'
        digest = _download(entry, source, quiet)
    if not quiet:
        verified = 'as its SHA-256 says' if entry.sha256 else f'NOT VERIFIED, nobody has told its SHA-256 ({digest})'
        print(f'{entry.name}: {verified}; converting', file=sys.stderr)
    try:
        convert_into(entry, source, **words)
    except ValueError:
        if file is None:  # it would be refused again
            source.unlink()
        raise
    if file is None:
        source.unlink()


def require_fetched(entry: Entry) -> tuple[Path, Path]:
    """Config and weights of an entry, fetched if they are not there.

    Raises:
        FileNotFoundError: If they are not there and cannot be fetched; says how to do it elsewhere.
        ValueError: If the file is not what it should be.
    """
    try:
        return fetch_entry(entry)
    except ConnectionError as error:
        raise FileNotFoundError(
            f'{error} On a machine with network run: mmtbps fetch {entry.name}; then copy {home()} here (or set '
            f'MMTBPS_HOME to the copy), or the file alone and run: mmtbps fetch {entry.name} --file PATH'
        ) from error


def convert_into(entry: Entry, file: Path, **words: Any) -> None:
    """Convert a file of an entry into the folder of its model.

    Args:
        entry: The entry.
        file: The file, verified.
        **words: See :func:`fetch_model`.

    Raises:
        ValueError: If the file cannot be converted.
    """
    about = dict(
        name=entry.name, address=entry.address or entry.page, verified=entry.sha256 is not None,
        licence=entry.licence_line, citation=entry.citation,
    )  # fmt: skip
    convert_file(file, model_files(entry.name)[1], entry.layout, parse_options(entry.options), about, **words)


def _download(entry: Entry, target: Path, quiet: bool) -> str:
    """Download the file of an entry; returns its digest."""
    assert entry.address is not None  # checked before anything is written
    if target.is_file() and entry.sha256 is not None and file_sha256(target) == entry.sha256:
        return entry.sha256  # its conversion was interrupted
    require_space(home(), 2 * (entry.size or _TYPICAL), f'{entry.name} with its conversion')
    try:
        return download(entry.address, target, entry.sha256, entry.size, quiet)
    except ConnectionError as error:
        kept = ' What has come is kept.' if target.with_name(f'{target.name}.part').exists() else ''
        raise ConnectionError(f'{error}{kept}') from error


def _verify(file: Path, entry: Entry) -> str:
    """Compare a file with what is known of it; returns its digest."""
    if not file.is_file():
        raise FileNotFoundError(f'There is no file {file}.')
    digest = file_sha256(file)
    if entry.sha256 not in (None, digest):
        raise ValueError(
            f'{file} is not the file of {entry.name}: its SHA-256 is {digest}, expected {entry.sha256}. Fetch it '
            f'again, or convert it as what it is: mmtbps convert {file} model.pth'
        )
    require_space(home(), file.stat().st_size, f'The conversion of {entry.name}')
    return digest


def _tell_terms(entry: Entry) -> None:
    """Print the licences, and what CLIP's card says, which is said once."""
    print(entry.licence_line, file=sys.stderr)
    told = home() / '.told'
    if not told.exists():
        print(CLIP_NOTICE, file=sys.stderr)
        told.parent.mkdir(parents=True, exist_ok=True)
        told.touch()
