import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny_features import make_features

from mmtbps.evaluation import load_features, save_features
from mmtbps.registry import METRICS


def test_there_and_back(tmp_path):
    features = make_features(tmp_path)
    save_features(tmp_path / 'f.npz', features)
    again = load_features(tmp_path / 'f.npz')
    assert again.meta == dict(features.meta, data_digest=features.data_digest)
    for name, value in features._asdict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(again, name), value)
            assert getattr(again, name).dtype == value.dtype
    assert (again.captions, again.image_paths) == (features.captions, features.image_paths)


def test_digest_tells_data_apart_and_not_models(tmp_path):
    features = make_features(tmp_path)
    assert make_features(tmp_path, seed=5).data_digest == features.data_digest
    moved = features._replace(image_paths=[f'elsewhere/{path}' for path in features.image_paths])
    assert moved.data_digest == features.data_digest
    others = [
        features._replace(captions=[*features.captions[:-1], 'another']),
        features._replace(image_pids=features.image_pids.flip(0)),
        features._replace(text_images=features.text_images.flip(0)),
    ]
    assert len({features.data_digest, *(other.data_digest for other in others)}) == 4


def process_with(metric, features, rows):
    for row in rows:
        own = features.text_images == row
        captions = [features.captions[i] for i in own.nonzero()[:, 0]]
        sample = dict(image_feat=features.image_feats[row], text_feats=features.text_feats[own])
        sample.update(person_id=int(features.image_pids[row]), img_path=features.image_paths[row], captions=captions)
        metric.process(None, [sample])
    metric.evaluate(len(features.image_feats))


def check_equal(found, features):
    assert found.data_digest == features.data_digest
    assert torch.equal(found.image_feats, features.image_feats)
    assert torch.equal(found.text_feats, features.text_feats)


def test_a_metric_writes_it(tmp_path):
    features = make_features(tmp_path)
    metric = METRICS.build(dict(type='DumpFeatures', out_file=str(tmp_path / 'f.npz'), meta=dict(model='Tiny')))
    process_with(metric, features, range(len(features.image_feats)))
    again = load_features(tmp_path / 'f.npz')
    check_equal(again, features)
    assert again.meta['model'] == 'Tiny'


def _write_in_process(rank, folder):
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    features = make_features(folder)
    settings = dict(out_file=f'{folder}/f.npz', collect_dir=f'{folder}/shared/parts')
    metric = METRICS.build(dict(type='DumpFeatures', **settings))
    process_with(metric, features, range(rank, len(features.image_feats), 2))
    dist.destroy_process_group()


def test_two_processes_write_one_file_by_way_of_a_folder_that_they_share(tmp_path):
    mp.spawn(_write_in_process, (tmp_path,), nprocs=2)
    check_equal(load_features(tmp_path / 'f.npz'), make_features(tmp_path))
    assert not list((tmp_path / 'shared').iterdir())


def test_a_changed_file_is_refused(tmp_path):
    file = tmp_path / 'f.npz'
    save_features(file, make_features(tmp_path))
    with np.load(file) as stored:
        arrays = dict(stored)
    np.savez(file, **dict(arrays, captions=arrays['captions'][::-1]))
    with pytest.raises(ValueError, match=r'f\.npz was changed'):
        load_features(file)
    np.savez(file, **dict(arrays, image_pids=arrays['image_pids'][1:]))
    with pytest.raises(ValueError, match=r'f\.npz was changed'):
        load_features(file)
    np.savez(file, **dict(arrays, meta=np.array({'a': 1}, dtype=object)))
    with pytest.raises(ValueError, match=r'f\.npz is not a file of'):
        load_features(file)
    del arrays['text_images']
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match='text_images'):
        load_features(file)


def test_other_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='--dump'):
        load_features(tmp_path / 'none.npz')
    (tmp_path / 'x.npz').write_text(json.dumps({}))
    with pytest.raises(ValueError, match=r'x\.npz is not a file of'):
        load_features(tmp_path / 'x.npz')
