"""Downloads that are verified while they are read, go on where they were interrupted, and leave nothing wrong."""

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tqdm import tqdm

from mmtbps.core.files import sync_folder

__all__ = ['download', 'require_space']

_PART = 2**20
_TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as silent."""

_ATTEMPTS, _PAUSE = 5, 1.0
"""How often a broken transfer goes on without having got further, and seconds between."""

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR)

_HERE = ('127.0.0.1', 'localhost', '::1')


def download(
    address: str, target: Path, sha256: str | None = None, size: int | None = None, quiet: bool = False
) -> str:
    """Download a file.

    It is written to ``target`` with ``.part`` behind its name, from where an interrupted download goes on, and gets its
    name when it is whole and as it should be. If nobody has told its digest, it goes on only with the same version of
    the file, which the server names (``ETag``). Proxies are those of the environment (``https_proxy``).

    Args:
        address: An https address, or one of this machine; so are those that it is redirected to.
        target: The file.
        sha256: The digest that it must have. Defaults to None: unknown.
        size: The number of bytes that it must have. Defaults to None: what the server says.
        quiet: Whether to draw no progress bar. Defaults to False.

    Returns:
        Its digest.

    Raises:
        ConnectionError: If it cannot be fetched; what has come is kept for the next attempt.
        OSError: If it cannot be written, such as to a disk that is full.
        ValueError: If it is not what it should be; nothing of it is kept.
    """
    _require_safe(address)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target.with_name(f'{target.name}.part'), versioned=sha256 is None)
    if size is not None and part.count > size:
        part.restart()
    with _bar(target.name, quiet, part.count) as bar:
        expected = _receive_whole(address, part, size, bar)
    digest = part.hexdigest()
    if (expected is not None and part.count != expected) or sha256 not in (None, digest):
        part.remove()
        raise ValueError(
            f'{address} is not the file that it should be: {part.count} bytes with SHA-256 {digest}, '
            f'expected {expected} with {sha256 or "any"}. Nothing of it is kept.'
        )
    os.replace(part.path, target)
    part.remove()
    sync_folder(target.parent)
    return digest


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to begin what a disk has no room for.

    Raises:
        OSError: If there are fewer bytes free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f'{what} needs {needed / 1e9:.2f} GB in {folder}, where {free / 1e9:.2f} GB are free. Make room, or set '
            'MMTBPS_HOME to a folder on another disk.'
        )


class _Part:
    """What has come of a file: the bytes, their digest, and of which version of it they are."""

    def __init__(self, path: Path, versioned: bool) -> None:
        self.path, self._digest, self.count = path, hashlib.sha256(), 0
        self._version = path.with_name(f'{path.name}.version') if versioned else None
        if path.is_file() and (self._version is None or self.version):
            with open(path, 'rb') as stream:
                while block := stream.read(_PART):
                    self.add(block)

    @property
    def version(self) -> str | None:
        """The server's name for the version of the file, if it matters; None if it has none."""
        if self._version is None or not self._version.is_file():
            return None
        return self._version.read_text(encoding='ascii', errors='replace') or None

    def note(self, version: str | None) -> None:
        """Keep the name of the version that begins to come; a weak one does not vouch for every byte."""
        if self._version is not None:
            self._version.write_text('' if version is None or version.startswith('W/') else version)

    def add(self, block: bytes) -> None:
        self._digest.update(block)
        self.count += len(block)

    def restart(self) -> None:
        self._digest, self.count = hashlib.sha256(), 0

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def remove(self) -> None:
        for file in (self.path, self._version):
            if file is not None:
                file.unlink(missing_ok=True)


def _receive_whole(address: str, part: _Part, size: int | None, bar: Any) -> int | None:
    """Fetch what is missing of a file, however often the connection breaks; returns how long it should be."""
    idle, refused = 0, False
    while True:
        before = part.count
        try:
            told = _receive(address, part, size, bar)
            return told if size is None else size
        except (HTTPException, OSError) as error:  # URLError is an OSError
            if isinstance(error, NoRoomError):
                raise
            if getattr(error, 'errno', None) in _OF_THE_DISK:
                raise _unwritable(part.path, error) from error
            if isinstance(error, HTTPError) and error.code == 416 and part.count and not refused:
                # There is nothing behind what has come: it is whole, or of another version.
                if size is None and _length_told(error) == part.count:
                    return part.count
                refused = True
                part.restart()
                continue
            idle = 0 if part.count > before else idle + 1
            if idle >= _ATTEMPTS or _is_final(error):
                if isinstance(error, HTTPError) and error.code == 416:
                    part.remove()
                raise ConnectionError(f'{address} cannot be fetched: {_reason(error)}.') from error
            time.sleep(_PAUSE)


class NoRoomError(OSError):
    """A disk has no room for what is to come."""


def _unwritable(path: Path, error: BaseException) -> OSError:
    return OSError(
        f'{path} cannot be written: {_reason(error)}. What has come is kept. Make room, or set MMTBPS_HOME to a folder '
        'on another disk.'
    )


def _length_told(error: HTTPError) -> int | None:
    """The length of a file that a refused range tells, as ``Content-Range: bytes */200``."""
    match = re.fullmatch(r'bytes \*/(\d+)', error.headers.get('Content-Range') or '')
    return int(match[1]) if match else None


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirections to https, or inside this machine."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != 'https' and not (parts.scheme == 'http' and parts.hostname in _HERE):
        raise ValueError(f'{address} is no https address; nothing is fetched from there.')


def _receive(address: str, part: _Part, expected: int | None, bar: Any) -> int | None:
    """Fetch what is missing of a file; returns how long the server says that it is."""
    if expected is not None and part.count == expected:
        return expected
    with build_opener(_SafeRedirects).open(_request(address, part), timeout=_TIMEOUT) as answer:
        goes_on = answer.status == 206 and _first_byte(answer) == part.count
        if not goes_on:
            part.restart()
            part.note(answer.headers.get('ETag'))
        told = answer.headers.get('Content-Length')
        total = None if told is None else part.count + int(told)
        if total is not None and expected is None:
            require_space(part.path.parent, total - part.count, part.path.name)
        bar.reset(expected or total)
        bar.update(part.count)
        with open(part.path, 'ab' if goes_on else 'wb') as file:
            while received := answer.read(_PART):
                if expected is not None and part.count + len(received) > expected:
                    part.add(received)
                    break  # more than there is: what was told of the file or the file itself is wrong
                file.write(received)
                part.add(received)
                bar.update(len(received))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and part.count < total and (expected is None or part.count < expected):
            raise ConnectionError(f'the connection ended after {part.count} of {total} bytes')
    return total


def _request(address: str, part: _Part) -> Request:
    """Ask for what is missing, or for all if the server has another version by now."""
    headers = {'User-Agent': 'mmtbps', 'Accept-Encoding': 'identity'}
    if part.count:
        headers['Range'] = f'bytes={part.count}-'
        if part.version:
            headers['If-Range'] = part.version
    return Request(address, headers=headers)


def _first_byte(answer: Any) -> int | None:
    """The place in the file that an answer starts at, as ``Content-Range: bytes 100-199/200`` tells."""
    told = answer.headers.get('Content-Range', '')
    digits = told.removeprefix('bytes ').partition('-')[0]
    return int(digits) if digits.isdecimal() else None


def _is_final(error: BaseException) -> bool:
    """Whether asking again cannot help."""
    return isinstance(error, HTTPError) and error.code not in (408, 429, 500, 502, 503, 504)


def _reason(error: BaseException) -> str:
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


@contextmanager
def _bar(name: str, quiet: bool, there: int) -> Iterator[Any]:
    """A bar with rate and time left, on the error stream."""
    with tqdm(desc=name, initial=there, unit='B', unit_scale=True, unit_divisor=1000, disable=quiet or None) as bar:
        yield bar
