"""The metric against plain ranking, over two real processes, and what it prints."""

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement

from mmtbps.evaluation import functional
from mmtbps.evaluation.metrics import tbps_metric
from mmtbps.registry import METRICS, RERANKERS

RERANK = [dict(type='NeighborJaccard'), dict(type='KReciprocal', k1=6, k2=3), dict(type='QueryExpansion', k=2)]


def make_samples(count=11, dim=16):
    """Images of few persons with 0, 1 or 2 captions each."""
    rng = torch.Generator().manual_seed(0)
    return [
        dict(
            image_feat=torch.randn(dim, generator=rng),
            text_feats=torch.randn(i % 3, dim, generator=rng),
            person_id=100 + i % 4,
        )
        for i in range(count)
    ]


def evaluate(samples, **settings):
    metric = METRICS.build(dict(type='TBPSMetric', **settings))
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def both_sides(samples):
    """Captions with their persons, all images, and the images that have captions."""
    texts = torch.cat([s['text_feats'] for s in samples])
    text_pids = [s['person_id'] for s in samples for _ in s['text_feats']]
    images = torch.stack([s['image_feat'] for s in samples])
    described = [i for i, s in enumerate(samples) if len(s['text_feats'])]
    return texts, text_pids, images, [s['person_id'] for s in samples], described


def test_both_directions_equal_plain_ranking():
    samples = make_samples()
    texts, text_pids, images, image_pids, described = both_sides(samples)
    t2i = functional.rank_features(texts, text_pids, images, image_pids)
    i2t = functional.rank_features(images[described], [image_pids[i] for i in described], texts, text_pids)
    expected = {f't2i/{k}': v for k, v in t2i.items()} | {f'i2t/{k}': v for k, v in i2t.items()}
    assert evaluate(samples) == pytest.approx(expected)


def test_rerank_rows_equal_the_functions():
    samples = make_samples()
    texts, text_pids, images, image_pids, _ = both_sides(samples)
    found = evaluate(samples, rerank=RERANK, topk=[1, 3])
    unit = torch.nn.functional.normalize
    cosine = unit(texts) @ unit(images).T
    similarities = {
        't2i': cosine,
        't2i+jaccard': cosine + 0.05 * functional.neighbor_jaccard(texts, images, 5),
        't2i+k-reciprocal': -functional.k_reciprocal_distance(texts, images, 6, 3),
        't2i+query-expansion': functional.average_query_expansion(texts, images, 2) @ unit(images).T,
    }
    assert {key.split('/')[0] for key in found} == {*similarities, *(k.replace('t2i', 'i2t') for k in similarities)}
    for row, similarity in similarities.items():
        expected = functional.rank_metrics(similarity, text_pids, image_pids, topk=(1, 3))
        assert {key: found[f'{row}/{key}'] for key in expected} == pytest.approx(expected)


def test_evaluator_takes_data_samples_of_half_features():
    samples = make_samples()
    for sample in samples:
        sample.update(image_feat=sample['image_feat'].half(), text_feats=sample['text_feats'].half())
    evaluator = Evaluator(dict(type='mmtbps.TBPSMetric'))
    evaluator.process([BaseDataElement(**sample) for sample in samples])
    for sample in samples:
        sample.update(image_feat=sample['image_feat'].float(), text_feats=sample['text_feats'].float())
    assert evaluator.evaluate(len(samples)) == evaluate(samples)


def test_one_table_through_the_logger(monkeypatch):
    printed = []
    monkeypatch.setattr(tbps_metric, 'print_log', lambda message, logger: printed.append(message))
    found = evaluate(make_samples(), rerank=dict(type='NeighborJaccard', name='shared'))
    (table,) = printed
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines() if '|' in line]
    assert rows[0] == ['', 'R@1', 'R@5', 'R@10', 'mAP', 'mINP']
    assert [row[0] for row in rows[1:]] == ['t2i', 't2i+shared', 'i2t', 'i2t+shared']
    for row in rows[1:]:
        assert row[1:] == [f'{found[f"{row[0]}/{column}"]:.2f}' for column in rows[0][1:]]


UNEVEN = (3, 11, 53)
"""Numbers of images that two processes cannot share evenly: a single caption pair, few, more than any k."""


def _evaluate_in_process(rank, world_size, folder):
    """What a test loop does in one of several processes: samplers repeat items to fill up, or leave it uneven."""
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world_size)
    found = []
    for count in UNEVEN:
        samples = make_samples(count)
        for round_up in (True, False):
            metric = METRICS.build(dict(type='TBPSMetric', rerank=RERANK, collect_dir=f'{folder}/{count}{round_up}'))
            for index in DefaultSampler(samples, shuffle=False, round_up=round_up):
                metric.process(None, [samples[index]])
            found.append(metric.evaluate(len(samples)))
    Path(f'{folder}/{rank}.json').write_text(json.dumps(found))
    dist.destroy_process_group()


def test_two_processes_give_the_numbers_of_one_with_every_reranker(tmp_path):
    RERANKERS.import_from_location()
    ours = {name for name, kind in RERANKERS.module_dict.items() if kind.__module__.startswith('mmtbps.')}
    assert ours == {settings['type'] for settings in RERANK}
    mp.spawn(_evaluate_in_process, (2, str(tmp_path)), nprocs=2)
    alone = [evaluate(make_samples(count), rerank=RERANK) for count in UNEVEN for _ in range(2)]
    assert len(alone[-1]) == 2 * (1 + len(RERANK)) * 5
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == alone


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(topk=[]), 'topk'),
        (dict(rerank=[dict(type='NeighborJaccard'), dict(type='NeighborJaccard', k=9)]), 'same name'),
        (dict(rerank=dict(type='NeighborJaccard', name='a/b')), 'name'),
        (dict(rerank=dict(type='NeighborJaccard', k=0)), 'k must'),
        (dict(rerank=dict(type='QueryExpansion', k=0)), 'k must'),
        (dict(rerank=dict(type='KReciprocal', lambda_value=2)), 'lambda_value'),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        METRICS.build(dict(type='TBPSMetric', **settings))


def test_results_without_features_are_an_error():
    with pytest.raises(ValueError, match='text_feats'):
        evaluate([dict(image_feat=torch.ones(3), person_id=1)])


def test_no_caption_at_all_is_an_error():
    with pytest.raises(ValueError, match='none of the 2 images has a caption'):
        evaluate([dict(image_feat=torch.ones(3), text_feats=torch.empty(0, 3), person_id=1)] * 2)


def test_own_reranker_is_registered_and_used():
    from mmtbps.evaluation import Reranker

    class Backwards(Reranker):
        default_name = 'backwards'

        def prepare(self, query_feats, gallery_feats):
            return lambda rows: -(query_feats[rows] @ gallery_feats.T)

    RERANKERS.register_module(module=Backwards)
    try:
        found = evaluate(make_samples(), rerank=dict(type='Backwards'))
    finally:
        RERANKERS.module_dict.pop('Backwards')
    texts, text_pids, images, image_pids, _ = both_sides(make_samples())
    assert found['t2i+backwards/mAP'] == functional.rank_metrics(-texts @ images.T, text_pids, image_pids)['mAP']
