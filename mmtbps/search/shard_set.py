"""Extraction of the features of a large gallery by any number of processes, into shards with a manifest."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, barrier, get_dist_info

from mmtbps.core.files import file_inside, file_sha256, write_atomically
from mmtbps.core.json_text import parse_json
from mmtbps.core.terminal import progress_bar

from .encoders import Encoder, Fingerprint
from .extraction import encode_blocks, split_blocks
from .listing import GalleryImage
from .shards import Shard, read_shard, write_shard

__all__ = ['SHARD_MANIFEST', 'extract_shards', 'read_shard_manifest', 'read_shard_set']

SHARD_MANIFEST = 'manifest.json'
_FORMAT = 2


def extract_shards(
    encoder: Encoder,
    images: Sequence[GalleryImage],
    out: str | Path,
    shard_size: int = 8192,
    batch_size: int = 64,
    num_workers: int = 2,
    progress: bool = True,
) -> dict[str, Any]:
    """Encode a listing; of N processes each encodes every N-th shard.

    The content of a shard depends on the listing, ``shard_size`` and ``batch_size`` alone, so that any number of
    processes writes the same files. Complete shards of the same images and model are kept, so that an interrupted run
    can be continued.

    Args:
        encoder: Encodes the images.
        images: The listing, the same in every process.
        out: A folder that all processes share.
        shard_size: Images per shard. Defaults to 8192, 8 MB at 256 numbers each.
        batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.
        num_workers: Processes that load images, per process that encodes. Defaults to 2.
        progress: Whether the main process draws a progress bar of its share. Defaults to True.

    Returns:
        The manifest, which the main process writes: fingerprint, description of the encoder and the modules that it
        needs, and for every shard its file, checksum, number of images and number of broken images.
    """
    rank, world_size = get_dist_info()
    folder = Path(out)
    blocks = split_blocks(images, shard_size)
    names = [f'shard_{number:06d}.safetensors' for number in range(len(blocks))]
    own = range(rank, len(blocks), world_size)
    pending = [number for number in own if not _finished(folder / names[number], blocks[number], encoder.fingerprint)]
    waiting = iter(pending)
    total = sum(len(blocks[number]) for number in pending)
    with progress_bar(total, 'images', disable=None if progress and rank == 0 else True) as bar:
        for count, shard in encode_blocks(encoder, [blocks[number] for number in pending], batch_size, num_workers):
            bar.update(count)
            if shard is not None:
                write_shard(folder / names[next(waiting)], shard)
    gathered = all_gather_object([_entry(folder / names[number]) for number in own])
    manifest = dict(
        format=_FORMAT,
        fingerprint=encoder.fingerprint.to_dict(),
        encoder=encoder.describe(),
        modules=encoder.modules,
        shards=sorted((entry for part in gathered for entry in part), key=lambda entry: entry['file']),
    )
    if rank == 0:
        write_atomically(folder / SHARD_MANIFEST, json.dumps(manifest, indent=1).encode())
    barrier()
    return manifest


def _finished(path: Path, block: Sequence[GalleryImage], fingerprint: Fingerprint) -> bool:
    """Whether the file is a complete shard of these images and this model."""
    with suppress(FileNotFoundError, ValueError):
        shard = read_shard(path)
        found = {image.path: image for image in [*shard.images, *(entry.image for entry in shard.broken)]}
        return not shard.fingerprint.differences(fingerprint) and found == {image.path: image for image in block}
    return False


def _entry(path: Path) -> dict[str, Any]:
    shard = read_shard(path)
    return dict(file=path.name, sha256=file_sha256(path), images=len(shard.images), broken=len(shard.broken))


def read_shard_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a folder of shards.

    Raises:
        FileNotFoundError: If there is none, because the extraction is not finished.
        ValueError: If it cannot be read.
    """
    file = Path(folder) / SHARD_MANIFEST
    if not file.is_file():
        raise FileNotFoundError(
            f'There is no {SHARD_MANIFEST} in {folder}: the extraction is not finished. Run mmtbps extract again.'
        )
    try:
        manifest = parse_json(file.read_bytes(), finite=False)
        manifest['shards'], manifest['encoder'], manifest['fingerprint']
        version = manifest['format']
        if not all(type(entry['file']) is type(entry['sha256']) is str for entry in manifest['shards']):
            raise ValueError('a shard has no name or checksum')
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{file} cannot be read as a manifest of shards ({type(error).__name__}: {error}). Extract again.'
        ) from error
    if version != _FORMAT:
        raise ValueError(f'{file} has format {version!r:.80}, this library reads {_FORMAT}. Extract again.')
    return manifest


def read_shard_set(folder: str | Path) -> Iterator[Shard]:
    """Read shards one by one and verify them.

    Args:
        folder: A folder that :func:`extract_shards` wrote.

    Yields:
        The shards in order.

    Raises:
        FileNotFoundError: If the manifest or a shard is missing.
        ValueError: If a shard does not match the manifest, or is not in the folder.
    """
    for entry in read_shard_manifest(folder)['shards']:
        path = file_inside(folder, entry['file'], str(Path(folder) / SHARD_MANIFEST))
        shard = read_shard(path)
        if file_sha256(path) != entry['sha256']:
            raise ValueError(f'{path} was changed after it was written: its checksum differs. Extract it again.')
        yield shard
