"""Two processes with batches of N against one process with a batch of 2N, frozen norms, in float64."""

import contextlib
import copy
import functools
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.model import MMDistributedDataParallel
from mmengine.structures import BaseDataElement
from tiny_recipes import part_of, recipe_batch, recipe_config
from tiny_retriever import CONTRASTIVE_NECK, NUM_CLASSES, cm_moco_config, make_batch
from torch import nn

from mmtbps.core.distributed import gather
from mmtbps.models.heads import gather_pairs
from mmtbps.models.losses import alignment_rows
from mmtbps.models.structures import ContrastEmbeddings, PairEmbeddings, TokenFeatures
from mmtbps.registry import HOOKS, MODELS

LOCAL, STEPS, WORLD = 4, 3, 2
PAIRWISE = ('AlignmentHead', 'CMPMHead', 'ITCHead', 'SDMHead')


def config(exclude='row', local_loss=False, neck=None):
    """All kinds of heads at once; the queue of 10 wraps in the second step."""
    model = cm_moco_config(size=10, contrastive_neck=neck, momentum=0.9)
    model['heads']['contrastive'].update(exclude=exclude, learnable_temperature=True)
    model['heads'].update({kind: dict(type=kind, local_loss=local_loss) for kind in PAIRWISE})
    model['heads'].pop('alignment')
    model['heads']['CMPCHead'] = dict(type='CMPCHead', num_classes=NUM_CLASSES, in_channels=16)
    return model


VARIANTS = [
    dict(),
    dict(local_loss=True),
    dict(exclude='batch', neck=CONTRASTIVE_NECK),
    dict(recipes=True),
    dict(recipes=True, local_loss=True),
]


def train(variant, rank=None):
    """Train a few steps; returns the losses and gradients of each step and the final state."""
    torch.manual_seed(0)
    of_recipes = variant.get('recipes', False)
    model = MODELS.build(recipe_config(variant.get('local_loss', False)) if of_recipes else config(**variant))
    model.init_weights()
    model.double().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    parallel = model if rank is None else MMDistributedDataParallel(model)
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.01)
    record = []
    for step in range(STEPS):
        batch = (recipe_batch if of_recipes else make_batch)(WORLD * LOCAL, seed=step, dtype=torch.float64)
        if of_recipes:
            for head in (model.heads['bge'], model.heads['tse']):
                head.pair_weights = (torch.arange(WORLD * LOCAL) % 3 > 0).double()
        if rank is not None:
            batch = part_of(batch, slice(rank * LOCAL, (rank + 1) * LOCAL))
        model.update_key_encoders()
        losses = parallel(**batch, mode='loss')
        optimizer.zero_grad()
        sum(losses.values()).backward()
        gradients = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad}
        optimizer.step()
        model.queue.commit()
        losses = {name: value.detach() for name, value in losses.items()}
        if rank is not None:
            for value in losses.values():
                dist.all_reduce(value)
                value /= WORLD
        record.append((losses, gradients))
    # The default runtime's mean over the processes, which leaves a queue that is the same everywhere as it is.
    HOOKS.build(dict(type='SyncBuffersHook')).after_train_epoch(SimpleNamespace(model=model))
    return record, copy.deepcopy(model.state_dict())


def constants_of_others(rank, local_loss):
    """Gradient of the alignment loss when the other process's embeddings count as constants."""
    values = torch.randn(2, 2 * LOCAL, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.arange(2 * LOCAL) // 2
    head = MODELS.build(dict(type='AlignmentHead', gather_with_grad=False, local_loss=local_loss))
    part = slice(rank * LOCAL, (rank + 1) * LOCAL)
    own = values[:, part].clone().requires_grad_()
    head.loss(PairEmbeddings(image=own[0], text=own[1], person_ids=ids[part]))['loss'].backward()
    return own.grad


def gather_everything(rank):
    """What a head reads of pairs with every kind of field, and the gradient of its own part."""
    own = torch.full((2, 3), float(rank + 1), requires_grad=True)
    pairs = PairEmbeddings(
        image=own * 2,
        text=own * 3,
        person_ids=torch.tensor([rank, 7]),
        views=BaseDataElement(second=BaseDataElement(image=own * 4, labels=torch.tensor([[rank], [rank]]))),
        tokens=BaseDataElement(text=TokenFeatures(tokens=own[:, :, None].expand(-1, -1, 2 + rank).transpose(1, 2))),
        mine=own * 5,
        contrast=ContrastEmbeddings(image_queries=own),
    )
    found = gather_pairs(pairs)
    assert 'views' in found
    assert 'attention' not in found.tokens.text
    assert torch.equal(found.get('mine'), found.mine)
    assert found.get('nothing') is None
    assert found.contrast.image_queries is own
    view = found.views.second
    assert view.image is view.image
    view.image.sum().backward()
    values = (found.image, found.person_ids, view.image, view.labels, found.mine, found.tokens.text.tokens)
    return dict(values=[value.detach() for value in values], gradient=own.grad)


class Loader:
    """Batches of a data set of three global batches, as a process sees them."""

    dataset = range(STEPS * WORLD * LOCAL)

    def __init__(self, rank):
        whole = [recipe_batch(WORLD * LOCAL, step, step * WORLD * LOCAL) for step in range(STEPS)]
        part = slice(None) if rank is None else slice(rank * LOCAL, (rank + 1) * LOCAL)
        self.batches = [part_of(batch, part) for batch in whole]

    def __iter__(self):
        return iter(self.batches)


def consensus(rank=None):
    """The weights that pairs get before an epoch."""
    torch.manual_seed(0)
    model = MODELS.build(recipe_config()).double().train()
    wrapper = SimpleNamespace(optim_context=lambda _: contextlib.nullcontext())
    logger = SimpleNamespace(info=lambda _: None)
    runner = SimpleNamespace(
        model=model, train_dataloader=Loader(rank), optim_wrapper=wrapper, epoch=3, logger=logger
    )  # fmt: skip
    hook = HOOKS.build(dict(type='ConsensusDivisionHook'))
    hook.before_train_epoch(runner)
    assert model.training
    assert model.heads['bge'].pair_weights is not None
    return hook._losses(runner, model), model.heads['tse'].pair_weights


def gather_uneven(rank):
    """The error of processes whose batches have 2 and 3 rows."""
    try:
        gather(torch.zeros(2 + rank, 4))
    except ValueError as error:
        return str(error)


def work(rank, folder):
    """One of the two processes."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', rank=rank, world_size=WORLD)
    results = dict(
        runs=[train(variant, rank) for variant in VARIANTS],
        gradient=constants_of_others(rank, local_loss=False),
        local_gradient=constants_of_others(rank, local_loss=True),
        everything=gather_everything(rank),
        uneven=gather_uneven(rank),
        consensus=consensus(rank),
    )
    torch.save(results, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('processes')
    mp.spawn(work, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f'{rank}.pth', weights_only=True) for rank in range(WORLD)]


@functools.cache
def one_process(number):
    return train(VARIANTS[number])


@pytest.mark.parametrize('number', range(len(VARIANTS)))
def test_losses_and_gradients(two_processes, number):
    expected, _ = one_process(number)
    for results in two_processes:
        for found, (losses, gradients) in zip(results['runs'][number][0], expected, strict=True):
            torch.testing.assert_close(found[0], losses, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(found[1], gradients, rtol=1e-8, atol=1e-10)
    assert all(losses['contrastive.loss_t2i'] > 0 for losses, _ in expected[1:])


@pytest.mark.parametrize('number', range(len(VARIANTS)))
def test_weights_keys_queues_and_pointer(two_processes, number):
    _, expected = one_process(number)
    assert expected['queue.pointer'] == STEPS * WORLD * LOCAL % 10
    for results in two_processes:
        torch.testing.assert_close(results['runs'][number][1], expected, rtol=1e-8, atol=1e-10)


def test_without_gather_with_grad_the_others_are_constants(two_processes):
    values = torch.randn(2, 2 * LOCAL, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values.requires_grad_()
    head = MODELS.build(dict(type='AlignmentHead'))
    head.loss(PairEmbeddings(image=values[0], text=values[1], person_ids=torch.arange(2 * LOCAL) // 2))[
        'loss'
    ].backward()
    for rank, results in enumerate(two_processes):
        part = slice(rank * LOCAL, (rank + 1) * LOCAL)
        torch.testing.assert_close(results['gradient'], values.grad[:, part])


def test_a_local_loss_without_gather_with_grad_compares_own_rows_with_constants(two_processes):
    values = torch.randn(2, 2 * LOCAL, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.arange(2 * LOCAL) // 2
    for rank, results in enumerate(two_processes):
        part = slice(rank * LOCAL, (rank + 1) * LOCAL)
        own = values[:, part].clone().requires_grad_()
        image, text = (embeddings.clone() for embeddings in values)
        image[part], text[part] = own[0], own[1]
        loss = alignment_rows(own[0], text, ids[part], ids) + alignment_rows(own[1], image, ids[part], ids)
        loss.backward()
        torch.testing.assert_close(results['local_gradient'], own.grad)


def test_every_field_is_gathered_in_rank_order(two_processes):
    for results in two_processes:
        image, person_ids, view, labels, mine, tokens = results['everything']['values']
        ranks = torch.tensor([1.0, 1, 2, 2])[:, None].expand(-1, 3)
        for found, factor in ((image, 2), (view, 4), (mine, 5)):
            assert torch.equal(found, factor * ranks)
        assert person_ids.tolist() == [0, 7, 1, 7]
        assert labels.tolist() == [[0], [0], [1], [1]]
        assert tokens[:, :, 0].tolist() == [[1, 1, 0], [1, 1, 0], [2, 2, 2], [2, 2, 2]]
        assert (results['everything']['gradient'] == 4 * WORLD).all()


def test_the_consensus_is_that_of_one_process(two_processes):
    losses, weights = consensus()
    assert set(weights.tolist()) == {0.0, 1.0}
    for results in two_processes:
        torch.testing.assert_close(results['consensus'][0], losses, rtol=1e-10, atol=1e-12)
        assert torch.equal(results['consensus'][1], weights)


def test_uneven_batches_are_refused_in_every_process(two_processes):
    for results in two_processes:
        assert 'batches of different shapes, [(2, 4), (3, 4)] by rank' in results['uneven']
