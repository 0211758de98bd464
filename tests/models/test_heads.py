"""Heads: what they add to the losses."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from mmtbps.models import CrossModalQueue, losses
from mmtbps.models.structures import ContrastEmbeddings, PairEmbeddings
from mmtbps.registry import MODELS

PAIRWISE = ['AlignmentHead', 'CMPMHead', 'ITCHead', 'SDMHead']
CLASSIFIERS = ['IdentityHead', 'CMPCHead']


def make_pairs(queue=None, size=6, dim=4):
    generator = torch.Generator().manual_seed(0)
    image, text, *contrast = torch.randn(6, size, dim, generator=generator, dtype=torch.float64)
    contrast[2:] = [F.normalize(keys, dim=1) for keys in contrast[2:]]
    ids = torch.tensor([0, 0, 1, 2, 2, 3])[:size]
    names = ('image_queries', 'text_queries', 'image_keys', 'text_keys')
    pairs = PairEmbeddings(image=image, text=text, person_ids=ids)
    if queue:
        pairs.contrast = ContrastEmbeddings(**dict(zip(names, contrast, strict=True)), queue=queue)
    return pairs


def test_heads_equal_the_pure_functions():
    pairs = make_pairs()
    arguments = (pairs.image, pairs.text, pairs.person_ids)
    identity = MODELS.build(dict(type='IdentityHead', num_classes=5, in_channels=4)).double()
    cmpc = MODELS.build(dict(type='CMPCHead', num_classes=5, in_channels=4)).double()
    itc = sum(
        losses.identity_aware_info_nce(queries, candidates, pairs.person_ids, pairs.person_ids, 0.07)
        for queries, candidates in (arguments[:2], arguments[1::-1])
    )
    expected = {
        identity: losses.identity_loss(*arguments, identity.projection, 0.1),
        cmpc: losses.cmpc_loss(*arguments, cmpc.projection),
        MODELS.build(dict(type='AlignmentHead')): losses.global_alignment_loss(*arguments),
        MODELS.build(dict(type='CMPMHead')): losses.cmpm_loss(*arguments),
        MODELS.build(dict(type='ITCHead')): itc,
        MODELS.build(dict(type='SDMHead')): losses.sdm_loss(*arguments),
    }
    for head, value in expected.items():
        torch.testing.assert_close(head.double().loss(pairs), {'loss': value}, rtol=1e-6, atol=0)


@pytest.mark.parametrize('kind', [*PAIRWISE, *CLASSIFIERS])
def test_loss_weight(kind):
    pairs = make_pairs()
    size = dict(num_classes=5, in_channels=4) if kind in CLASSIFIERS else {}
    head, heavy = (MODELS.build(dict(type=kind, loss_weight=weight, **size)).double() for weight in (1.0, 2.5))
    heavy.load_state_dict(head.state_dict())
    torch.testing.assert_close(heavy.loss(pairs)['loss'], 2.5 * head.loss(pairs)['loss'])
    with pytest.raises(ValueError, match='loss_weight must not be negative, got -1'):
        MODELS.build(dict(type=kind, loss_weight=-1, **size))


@pytest.mark.parametrize('kind', CLASSIFIERS)
def test_unknown_number_of_identities(kind):
    with pytest.raises(ValueError, match=rf'{kind}: num_classes is None; call mmtbps.apis.resolve_data_sizes\(cfg\)'):
        MODELS.build(dict(type=kind, num_classes=None))


@pytest.mark.parametrize('exclude', ['row', 'batch'])
@pytest.mark.parametrize('random_init', [False, True])
def test_contrastive_head_against_loops(exclude, random_init):
    torch.manual_seed(0)
    queue = CrossModalQueue(9, 4, random_init).double()
    queue.stage(*F.normalize(torch.randn(2, 7, 4, dtype=torch.float64), dim=2), torch.tensor([0, 1, 4, 5, 2, 0, 7]))
    queue.commit()
    pairs = make_pairs(queue)
    contrast, ids = pairs.contrast, pairs.person_ids
    head = MODELS.build(dict(type='ContrastiveHead', exclude=exclude, temperature=0.2))
    found = head.loss(pairs)
    directions = dict(
        i2t=(contrast.image_queries, contrast.text_keys, queue.text),
        t2i=(contrast.text_queries, contrast.image_keys, queue.image),
    )
    for name, (queries, keys, columns) in directions.items():
        expected = 0.0
        for query, key, person in zip(F.normalize(queries, dim=1), keys, ids, strict=True):
            logits = [query @ key]
            for column, other in zip(columns.t(), queue.person_ids, strict=True):
                same = other == person if exclude == 'row' else other in ids
                if not same and (other != -1 or random_init):
                    logits.append(query @ column)
            expected += torch.logsumexp(torch.stack(logits) / 0.2, 0) - logits[0] / 0.2
        torch.testing.assert_close(found[f'loss_{name}'], expected / len(ids), rtol=1e-12, atol=0)


def test_contrast_with_an_empty_queue_is_zero():
    pairs = make_pairs(CrossModalQueue(5, 4))
    head = MODELS.build(dict(type='ContrastiveHead'))
    assert {name: value.item() for name, value in head.loss(pairs).items()} == dict(loss_i2t=0.0, loss_t2i=0.0)


def test_contrast_compiles_without_a_break_and_for_any_content_of_the_queue():
    queue = CrossModalQueue(5, 4).double()
    pairs = make_pairs(queue)
    head = MODELS.build(dict(type='ContrastiveHead'))
    graphs = []
    compiled = torch.compile(head.loss, fullgraph=True, backend=lambda graph, _: graphs.append(graph) or graph.forward)
    for _ in range(3):
        torch.testing.assert_close(compiled(pairs), head.loss(pairs))
        queue.stage(pairs.image, pairs.text, pairs.person_ids)
        queue.commit()
    assert len(graphs) == 1


def test_contrast_needs_keys():
    with pytest.raises(AttributeError, match='take the retriever CMMoCoRetriever'):
        MODELS.build(dict(type='ContrastiveHead')).loss(make_pairs())
    with pytest.raises(ValueError, match="'row' or 'batch', got 'column'"):
        MODELS.build(dict(type='ContrastiveHead', exclude='column'))


def test_gathering_does_nothing_in_one_process():
    pairs = make_pairs()
    settings = [dict(gather_with_grad=grad, local_loss=local) for grad in (True, False) for local in (True, False)]
    heads = [MODELS.build(dict(type='AlignmentHead', **each)) for each in settings]
    image = pairs.image.clone().requires_grad_()
    results = []
    for head in heads:
        image.grad = None
        loss = head.loss(SimpleNamespace(image=image, text=pairs.text, person_ids=pairs.person_ids))['loss']
        loss.backward()
        results.append((loss.detach(), image.grad))
    for loss, gradient in results[1:]:
        torch.testing.assert_close((loss, gradient), results[0])
