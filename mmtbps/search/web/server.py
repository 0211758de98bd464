"""Serve the web page on this machine and clean up afterwards."""

import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .galleries import Galleries

__all__ = ['EXAMPLES', 'serve']

EXAMPLES = (
    'A woman in a red coat carries a white handbag.',
    'A man wears a blue t-shirt, grey shorts and white shoes.',
    'A person with a black backpack and a yellow jacket.',
)

_ROOT = re.compile(r'(https?://[^\s/?#"<>]+)?(/[^\s?#"<>]*)?')


def serve(
    galleries: Galleries,
    host: str = '127.0.0.1',
    port: int | None = None,
    examples: Sequence[str] = EXAMPLES,
    root_path: str | None = None,
) -> None:
    """Serve the page until the process receives SIGINT or SIGTERM.

    Gradio may serve files of one temporary folder only, which is created here and deleted at the end: images of a
    gallery reach the page as copies, never by their path. The page contacts no other host.

    Args:
        galleries: The galleries to search.
        host: Address to listen on. Defaults to ``'127.0.0.1'``: only this machine can open the page.
        port: Port to listen on. Defaults to None: the first free one from 7860.
        examples: Sentences offered for a click. Defaults to three in words that ToyPEDES and CUHK-PEDES share.
        root_path: Where a proxy in front serves the page: a path such as ``'/find'``, or a whole address, which the
            browser puts in front of all requests. Defaults to None: that of the environment variable
            ``GRADIO_ROOT_PATH``, or no proxy.

    Raises:
        ImportError: If Gradio is not installed.
        ValueError: If ``root_path`` is neither a path nor an address, or ``port`` is none.
        OSError: If the port is in use.
    """
    stopped = threading.Event()
    root = _checked_root(os.environ.get('GRADIO_ROOT_PATH', '') if root_path is None else root_path)
    with _own_folder(), _told_to_stop(stopped):
        build_page, launch_options = _page_builders()
        page = build_page(galleries, examples)
        options = launch_options(galleries.limits)
        try:
            with _told_of_port(host, port):
                _, url, _ = page.launch(
                    server_name=host, server_port=port, root_path=root, prevent_thread_lock=True, **options
                )
            print(f'Open {url} in a browser; Ctrl-C ends it.', flush=True)
            if root:
                print(f'Requests are asked for below {root}, where a proxy has to pass them on.', flush=True)
            if not host.startswith('127.') and host not in ('localhost', '::1'):
                print('Everyone who reaches this machine can use the page: it asks for no password.', flush=True)
            stopped.wait()
        finally:
            page.close(verbose=False)


@contextmanager
def _told_of_port(host: str, port: int | None) -> Iterator[None]:
    """Say what is wrong with a port by the name of our option, not of Gradio's."""
    if port is not None and not 0 < port < 2**16:
        raise ValueError(f'port must be between 1 and 65535, got {port}.')
    try:
        yield
    except OSError as error:
        if 'empty port' not in str(error):
            raise
        place = f'Port {port} of {host} is' if port is not None else f'The ports of {host} from 7860 are all'
        raise OSError(f'{place} in use. Name another one (--port).') from error


def _checked_root(root: str) -> str:
    """Check where a proxy serves the page; a slash at the end is left out, as Gradio expects."""
    if root and not _ROOT.fullmatch(root):
        raise ValueError(
            f'root_path must be a path that begins with a slash, such as /find, or an address, such as '
            f'https://example.org/find, got {root!r:.200}.'
        )
    return root.rstrip('/')


def _page_builders() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Import the module that needs Gradio, which reads its environment on import."""
    try:
        from .page import build_page, launch_options
    except ImportError as error:
        raise ImportError(
            f"The web page needs gradio, which cannot be imported ({error}). Run: python -m pip install 'mmtbps[demo]' "
            "(in a clone: '.[demo]')."
        ) from error
    return build_page, launch_options


@contextmanager
def _own_folder() -> Iterator[None]:
    """Give Gradio a temporary folder, and hide all of its settings in the environment from it."""
    before = {name: value for name, value in os.environ.items() if name.startswith('GRADIO_')}
    with tempfile.TemporaryDirectory(prefix='mmtbps_web_', ignore_cleanup_errors=True) as folder:
        for name in before:
            del os.environ[name]
        own = dict(
            GRADIO_ANALYTICS_ENABLED='False',
            GRADIO_TEMP_DIR=os.path.join(folder, 'files'),
            GRADIO_EXAMPLES_CACHE=os.path.join(folder, 'examples'),
        )
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                os.environ.pop(name, None)
            os.environ.update(before)


@contextmanager
def _told_to_stop(stopped: threading.Event) -> Iterator[None]:
    """Set an event on SIGINT and SIGTERM, so that everything open is closed."""

    def stop(*_: Any) -> None:
        stopped.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
