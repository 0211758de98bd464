"""Downloads that are verified while they are read, go on where they were interrupted, and leave nothing wrong."""

import hashlib
import os
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

_HERE = ('127.0.0.1', 'localhost', '::1')


def download(
    address: str, target: Path, sha256: str | None = None, size: int | None = None, quiet: bool = False
) -> str:
    """Download a file.

    It is written to ``target`` with ``.part`` behind its name, from where an interrupted download goes on, and gets its
    name when it is whole and as it should be. Proxies are those of the environment (``https_proxy``).

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
        ValueError: If it is not what it should be; nothing of it is kept.
    """
    _require_safe(address)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f'{target.name}.part')
    digest = _Digest(part)
    expected = size
    with _bar(target.name, quiet, digest.count) as bar:
        idle = 0
        while True:
            before = digest.count
            try:
                told = _receive(address, part, digest, expected, bar)
                expected = told if expected is None else expected
                break
            except (HTTPException, OSError) as error:  # URLError is an OSError
                idle = 0 if digest.count > before else idle + 1
                if idle >= _ATTEMPTS or _is_final(error):
                    raise ConnectionError(f'{address} cannot be fetched: {_reason(error)}.') from error
                time.sleep(_PAUSE)
    if (expected is not None and digest.count != expected) or sha256 not in (None, digest.hexdigest()):
        part.unlink()
        raise ValueError(
            f'{address} is not the file that it should be: {digest.count} bytes with SHA-256 {digest.hexdigest()}, '
            f'expected {expected} with {sha256 or "any"}. Nothing of it is kept.'
        )
    os.replace(part, target)
    sync_folder(target.parent)
    return digest.hexdigest()


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to begin what a disk has no room for.

    Raises:
        OSError: If there are fewer bytes free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f'{what} needs {needed / 1e9:.2f} GB in {folder}, where {free / 1e9:.2f} GB are free. Make room, or set '
            'MMTBPS_HOME to a folder on another disk.'
        )


class _Digest:
    """Digest and number of the bytes that a file has so far."""

    def __init__(self, file: Path) -> None:
        self._digest, self.count = hashlib.sha256(), 0
        if file.is_file():
            with open(file, 'rb') as stream:
                while part := stream.read(_PART):
                    self.add(part)

    def add(self, part: bytes) -> None:
        self._digest.update(part)
        self.count += len(part)

    def restart(self) -> None:
        self._digest, self.count = hashlib.sha256(), 0

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirections to https, or inside this machine."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != 'https' and not (parts.scheme == 'http' and parts.hostname in _HERE):
        raise ValueError(f'{address} is no https address; nothing is fetched from there.')


def _receive(address: str, part: Path, digest: _Digest, expected: int | None, bar: Any) -> int | None:
    """Fetch what is missing of a file; returns how long the server says that it is."""
    if expected is not None and digest.count == expected:
        return expected
    headers = {'User-Agent': 'mmtbps', 'Accept-Encoding': 'identity'}
    if digest.count:
        headers['Range'] = f'bytes={digest.count}-'
    with build_opener(_SafeRedirects).open(Request(address, headers=headers), timeout=_TIMEOUT) as answer:
        goes_on = answer.status == 206 and _first_byte(answer) == digest.count
        if not goes_on:
            digest.restart()
        told = answer.headers.get('Content-Length')
        total = None if told is None else digest.count + int(told)
        bar.reset(expected or total)
        bar.update(digest.count)
        with open(part, 'ab' if goes_on else 'wb') as file:
            while received := answer.read(_PART):
                if expected is not None and digest.count + len(received) > expected:
                    digest.add(received)
                    break  # more than there is: what was told of the file or the file itself is wrong
                file.write(received)
                digest.add(received)
                bar.update(len(received))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and digest.count < total and (expected is None or digest.count < expected):
            raise ConnectionError(f'the connection ended after {digest.count} of {total} bytes')
    return total


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
