"""Features made by several processes."""

import json
import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny_search import PixelEncoder

from mmtbps.search import MetadataSource, ModelEncoder, Searcher, list_gallery
from mmtbps.search.shard_set import extract_shards
from mmtbps.search.shards import read_shard

SIZES = dict(shard_size=5, batch_size=2, num_workers=0, progress=False)


def work(rank, folder, model_files, images):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', rank=rank, world_size=2)
    manifest = extract_shards(ModelEncoder(*model_files, 'cpu'), images, f'{folder}/two', **SIZES)
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(manifest, file)
    dist.destroy_process_group()


def test_two_processes_write_what_one_writes(model_files, crops, tmp_path):
    (crops / 'cam0' / 'broken.png').write_bytes(b'no image')
    images = list_gallery(crops, MetadataSource(pattern=r'p(?P<person>\d)'))
    one = extract_shards(ModelEncoder(*model_files, 'cpu'), images, tmp_path / 'one', **SIZES)
    # Forked, since importing everything anew takes longer than the work.
    mp.start_processes(work, (str(tmp_path), model_files, images), nprocs=2, start_method='fork')
    manifests = [json.loads((tmp_path / name).read_text()) for name in ('0.json', '1.json', 'two/manifest.json')]
    assert manifests == [one] * 3
    assert [entry['images'] for entry in one['shards']] == [4, 5, 3]
    assert [entry['broken'] for entry in one['shards']] == [1, 0, 0]
    for entry in one['shards']:
        assert (tmp_path / 'one' / entry['file']).read_bytes() == (tmp_path / 'two' / entry['file']).read_bytes()


def test_a_gallery_takes_over_shards(crops, tmp_path):
    images = list_gallery(crops, MetadataSource(pattern=r'p(?P<person>\d)'))
    extract_shards(PixelEncoder(), images, tmp_path / 'shards', **SIZES)
    searcher, direct = Searcher(PixelEncoder()), Searcher(PixelEncoder())
    report = searcher.gallery.add_shards(tmp_path / 'shards', tmp_path / 'index')
    assert (report.added, report.total, searcher.encoder.encoded) == (12, 12, 0)
    direct.index(crops, metadata=MetadataSource(pattern=r'p(?P<person>\d)'), num_workers=0, progress=False)
    assert Searcher.load(tmp_path / 'index').search('a man', topk=12) == direct.search('a man', topk=12)
    report = searcher.gallery.add_shards(tmp_path / 'shards')
    assert (report.added, report.unchanged, report.total) == (0, 12, 12)


def test_a_restart_skips_what_is_finished(crops, tmp_path):
    images = list_gallery(crops)
    whole = extract_shards(PixelEncoder(), images, tmp_path, **SIZES)
    for name in ('manifest.json', 'shard_000001.safetensors'):
        (tmp_path / name).unlink()
    (tmp_path / 'shard_000002.safetensors').write_bytes(b'cut short')
    encoder = PixelEncoder()
    assert extract_shards(encoder, images, tmp_path, **SIZES) == whole
    assert encoder.encoded == 5 + 2
    os.utime(crops / 'cam0' / 'p0_t0.png', (1, 1))
    again = PixelEncoder()
    extract_shards(again, list_gallery(crops), tmp_path, **SIZES)
    assert again.encoded == 5
    other = PixelEncoder(salt='2')
    extract_shards(other, images, tmp_path, **SIZES)
    assert other.encoded == 12


def test_shards_that_are_not_what_was_written_are_refused(crops, tmp_path):
    searcher = Searcher(PixelEncoder())
    with pytest.raises(FileNotFoundError, match='extraction is not finished'):
        searcher.gallery.add_shards(tmp_path)
    extract_shards(PixelEncoder(), list_gallery(crops), tmp_path, **SIZES)
    with pytest.raises(ValueError, match='another model: weights differ'):
        Searcher(PixelEncoder(salt='2')).gallery.add_shards(tmp_path)
    path = tmp_path / 'shard_000001.safetensors'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert len(read_shard(path).images) == 5
    with pytest.raises(ValueError, match=r'shard_000001.safetensors was changed after it was written'):
        searcher.gallery.add_shards(tmp_path)
    (tmp_path / 'manifest.json').write_text('[]')
    with pytest.raises(ValueError, match=r'manifest.json cannot be read'):
        searcher.gallery.add_shards(tmp_path)
