"""``mmtbps web``: search galleries from a browser."""

from typing import Any

from .arguments import Device, Switch, Trusted, Words, moved_weights
from .settings import pairs

__all__ = ['web']


def web(
    gallery: str,
    /,
    *others: str,
    host: str = '127.0.0.1',
    port: int | None = None,
    root_path: str | None = None,
    examples: Words = None,
    read_only: Switch = False,
    max_megabytes: float | None = None,
    max_files: int | None = None,
    checkpoint: str | None = None,
    model: str | None = None,
    device: Device = None,
    trust: Trusted = None,
    index_options: Words = None,
) -> None:
    """Search galleries from a web page on this machine, until Ctrl-C. Create them with `mmtbps search index`.

    For example:

        mmtbps web gallery --port 7860

    Args:
        gallery: Folder of a gallery.
        others: Further ones; the page offers all.
        host: Address to listen on (default: this machine alone).
        port: Port to listen on (default: the first free one from 7860).
        root_path: Path such as /find, or address, under which a proxy in front serves the page.
        examples: Sentences offered for a click (default: three); without a value, none.
        read_only: No uploads: visitors neither add images nor search by their own.
        max_megabytes: Size of an added file (default: 10).
        max_files: Files added at a time (default: 50).
        checkpoint: Weights of the model, if they have been moved.
        model: The model by name, if its weights have been moved.
        index_options: Arguments of the indexes that a gallery does not decide, such as `uri=http://host:19530`.
    """
    from mmtbps.search.web import EXAMPLES, Galleries, UploadLimits, serve

    given: dict[str, Any] = dict(megabytes=max_megabytes, files=max_files)
    limits = UploadLimits(**{name: value for name, value in given.items() if value is not None})
    weights = moved_weights(model, checkpoint)
    loaded = Galleries.load(
        [gallery, *others], weights, device, None if read_only else limits, pairs(index_options), trust or []
    )
    serve(loaded, host, port, EXAMPLES if examples is None else examples, root_path)
