"""Plan of an epoch: IdentitySampler against dicts and lists of indices.

The plain implementation collects the items of every identity in lists, shuffles and cuts them, and draws the
identities of batch after batch until too few are left. The default size is that of the training set of CUHK-PEDES.
"""

import argparse
import random
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmtbps.datasets import IdentitySampler

from .common import median_ratio, time_in_turn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--pairs', type=int, default=68126, help='image-caption pairs (default: %(default)s)')
    parser.add_argument('--identities', type=int, default=11003, help='(default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=128, help='(default: %(default)s)')
    parser.add_argument('--num-instances', type=int, default=4, help='(default: %(default)s)')


def plain_plan(person_ids: np.ndarray, batch_size: int, num_instances: int) -> list[int]:
    """Plan an epoch with the usual containers of Python."""
    items_of = defaultdict(list)
    for item, person_id in enumerate(person_ids.tolist()):
        items_of[person_id].append(item)
    blocks = {}
    for person_id, items in items_of.items():
        random.shuffle(items)
        while len(items) < num_instances:
            items.append(random.choice(items))
        starts = range(0, len(items) - num_instances + 1, num_instances)
        blocks[person_id] = [items[start : start + num_instances] for start in starts]
    plan: list[int] = []
    left = list(blocks)
    while len(left) >= batch_size // num_instances:
        for person_id in random.sample(left, batch_size // num_instances):
            plan += blocks[person_id].pop()
            if not blocks[person_id]:
                left.remove(person_id)
    return plan


def peak_memory(function: Callable[[], Any]) -> float:
    """Memory that a call needs at its peak, in megabytes."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure an epoch's plan."""
    if args.pairs < args.identities:
        raise ValueError(f'--pairs {args.pairs} must not be below --identities {args.identities}.')
    rng = np.random.default_rng(0)
    extra = rng.integers(0, args.identities, args.pairs - args.identities)
    dataset = SimpleNamespace(person_ids=rng.permutation(np.concatenate([np.arange(args.identities), extra])))
    sampler = IdentitySampler(dataset, args.batch_size, args.num_instances)
    candidates: dict[str, Callable[[], Any]] = {
        'plain': lambda: plain_plan(dataset.person_ids, args.batch_size, args.num_instances),
        'ours': lambda: list(sampler),
        'construct': lambda: IdentitySampler(dataset, args.batch_size, args.num_instances),
    }
    seconds = time_in_turn(candidates, args.repeats)
    return {
        'items per epoch': len(sampler),
        'share of pairs seen': len(set(sampler)) / args.pairs,
        'constructor (s)': float(np.median(seconds['construct'])),
        'plan (s)': float(np.median(seconds['ours'])),
        'plain plan (s)': float(np.median(seconds['plain'])),
        'speed, ratio to plain': median_ratio(seconds['plain'], seconds['ours']),
        'plan, peak memory (MB)': peak_memory(candidates['ours']),
        'plain plan, peak memory (MB)': peak_memory(candidates['plain']),
    }
