"""``mmtbps extract``: encode images with any number of processes."""

from .arguments import Launcher, LocalRank, Model, Workers, set_local_rank

__all__ = ['extract']

_NO_MODEL = Model()


def extract(
    images: str,
    /,
    *,
    out: str,
    named: Model = _NO_MODEL,
    metadata: str | None = None,
    pattern: str | None = None,
    shard_size: int = 8192,
    batch_size: int = 64,
    workers: Workers = 2,
    launcher: Launcher = 'none',
    local_rank: LocalRank = 0,
) -> None:
    r"""Encode images with any number of processes, into shards for `mmtbps search index --from-shards`.

    For example:

        mmtbps extract crops/ --model nam --out shards

    Args:
        images: Folder of images.
        out: Folder of the shards, shared by all processes.
        metadata: CSV or JSONL of metadata with a column path.
        pattern: Metadata from paths: a regular expression such as `(?P<camera>c\d+)_`.
        shard_size: Images per shard.
        batch_size: Images per batch.
        workers: Loading processes per process.
    """
    from mmengine.dist import is_main_process

    from mmtbps.engine import start_processes
    from mmtbps.search import MetadataSource, ModelEncoder, list_images
    from mmtbps.search.shard_set import extract_shards

    set_local_rank(local_rank)
    start_processes(launcher)
    encoder = ModelEncoder(*named.files())
    facts = MetadataSource(metadata, pattern)
    listing = list_images(images, facts)
    remarks = [*listing.remarks, *facts.require_met(listing.images[0].path)]
    manifest = extract_shards(encoder, listing.images, out, shard_size, batch_size, workers)
    if is_main_process():
        counts = [sum(entry[key] for entry in manifest['shards']) for key in ('images', 'broken')]
        print(f'{counts[0]} images in {len(manifest["shards"])} shards, {counts[1]} broken images left out')
        print('\n'.join(remarks), end='\n' if remarks else '')
