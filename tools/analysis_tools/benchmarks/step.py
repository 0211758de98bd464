"""One training step of CM-MoCo: mmtbps with its default settings against plain PyTorch.

The model is the paper's: CLIP's ResNet-50 for 384 x 128 pixels, frozen words under a Bi-GRU, identity, alignment and
contrastive losses, momentum keys with a queue of 2,048. Both sides start from the same weights and see the same random
batch, step after step; memory is that of a process that builds the model and trains it for two steps, on a GPU the
device's.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmtbps.models import CMMoCoRetriever
from mmtbps.registry import MODELS

from .common import median_ratio, time_in_turn
from .features import peak_growth
from .plain_step import PlainStep

BASE = Path(__file__).parents[3] / 'configs' / '_base_'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--batch-size', type=int, default=16, help='(default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=[384, 128], metavar=('HEIGHT', 'WIDTH'), help='of images')
    parser.add_argument('--layers', type=int, nargs=4, default=[3, 4, 6, 3], help='blocks (default: %(default)s)')
    parser.add_argument('--width', type=int, default=64, help='of the first stage (default: %(default)s)')
    parser.add_argument('--classes', type=int, default=11003, help='(default: %(default)s)')
    parser.add_argument('--words', type=int, default=9408, help='(default: %(default)s)')
    parser.add_argument('--queue-size', type=int, default=2048, help='(default: %(default)s)')
    parser.add_argument('--device', default='cpu', help='(default: %(default)s)')


def finished_at() -> float:
    """The time when what the device was asked for is done."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


class Step:
    """Our model as the shipped configs build it; :meth:`step` is what the Runner and the hooks do in an iteration."""

    def __init__(self, args: argparse.Namespace) -> None:
        init_default_scope('mmtbps')
        cfg = Config.fromfile(BASE / 'models' / 'cm-moco_r50-bigru.py').model
        backbone = dict(type='CLIPResNet', layers=args.layers, width=args.width, output_dim=16 * args.width)
        cfg.image_stream = dict(type='ImageStream', backbone=dict(backbone, input_size=args.size))
        cfg.image_projection.in_channels = 16 * args.width
        cfg.text_stream.backbone.update(vocab_size=args.words, frozen=True)
        cfg.heads.identity.num_classes = args.classes
        cfg.queue.size = args.queue_size
        self.model: CMMoCoRetriever = MODELS.build(cfg).to(args.device)
        for name, weight in self.model.named_parameters():
            if name.endswith('bn3.weight'):
                nn.init.ones_(weight)  # CLIP's zeros would hide what the blocks compute.
        self.model.train()
        schedule = Config.fromfile(BASE / 'schedules' / 'adam_80e.py')
        self.optim_wrapper = build_optim_wrapper(self.model, schedule.optim_wrapper)
        self.state_seconds: list[float] = []

    def step(self, data: dict[str, Any]) -> dict[str, Tensor]:
        """Train on a batch."""
        start = finished_at()
        self.model.update_key_encoders()
        updated = finished_at()
        losses = self.model.train_step(data, self.optim_wrapper)
        trained = finished_at()
        self.model.queue.commit()
        self.state_seconds.append(updated - start + finished_at() - trained)
        return losses


def make_batch(args: argparse.Namespace) -> dict[str, Any]:
    """Random bytes and captions of 10 to 60 words, four pairs a person, as the data loader gives them."""
    rng = np.random.default_rng(0)
    samples = []
    for item in range(args.batch_size):
        samples.append(DataSample())
        samples[-1].set_field(item // 4, 'person_id')
        samples[-1].set_field([rng.integers(1, args.words, rng.integers(10, 61)).tolist()], 'tokens')
    images = rng.integers(0, 256, (args.batch_size, 3, *args.size), dtype=np.uint8)
    return dict(inputs=dict(image=torch.from_numpy(images)), data_samples=samples)


def fill_queue(model: CMMoCoRetriever) -> None:
    """Fill the queue with random keys of persons that the batch has not, and of some that it has."""
    size = model.queue.size
    device = model.queue.image.device
    keys = nn.functional.normalize(torch.randn(2, size, model.queue.dim), dim=2).to(device)
    model.queue.stage(*keys, torch.arange(size, device=device) % model.heads['identity'].num_classes)
    model.queue.commit()


def build_plain(args: argparse.Namespace) -> PlainStep:
    """The yardstick for the same sizes."""
    plain = PlainStep(args.layers, args.width, tuple(args.size), args.words, args.classes, args.queue_size)
    return plain.to(args.device).train()


def plain_batch(data: dict[str, Any], device: str) -> tuple[Tensor, ...]:
    """The batch as plain code has it: normalised on the way, in the default memory format."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    captions = [torch.tensor(sample.tokens[0]) for sample in data['data_samples']]
    tokens = nn.utils.rnn.pad_sequence(captions, batch_first=True)
    ids = torch.tensor([sample.person_id for sample in data['data_samples']])
    lengths = torch.tensor([len(caption) for caption in captions])
    images = (data['inputs']['image'].flip(1).float() - mean) / std
    return images.to(device), tokens.to(device), lengths, ids.to(device)


def train_twice(args: argparse.Namespace, plain: bool) -> None:
    """Build one of the two and train it for two steps: the second has the state of the optimizer too."""
    data = make_batch(args)
    if plain:
        reference = build_plain(args)
        for _ in range(2):
            reference.step(*plain_batch(data, args.device))
    else:
        ours = Step(args)
        for _ in range(2):
            ours.step(data)


def peak(args: argparse.Namespace, plain: bool) -> float:
    """Peak memory of the training, in megabytes, above that of a process with the packages loaded."""
    if args.device == 'cpu':
        return peak_growth(lambda: train_twice(args, plain))
    train_twice(args, plain)
    return torch.cuda.max_memory_allocated() / 2**20


def peak_apart(args: argparse.Namespace, plain: bool) -> float:
    """The same, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(peak, args, plain).result()


def plain_step(plain: PlainStep, losses: list[dict[str, Tensor]], *batch: Tensor) -> None:
    """Train the yardstick on a batch and wait for it, as :meth:`Step.step` does."""
    losses.append(plain.step(*batch))
    finished_at()


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure both."""
    memory = {name: peak_apart(args, plain) for name, plain in (('ours', False), ('plain', True))}
    torch.manual_seed(0)
    data = make_batch(args)
    ours, plain = Step(args), build_plain(args)
    fill_queue(ours.model)
    plain.load(ours.model)
    losses: dict[str, list[dict[str, Tensor]]] = {'ours': [], 'plain': []}
    seconds = time_in_turn(
        {
            'ours': lambda: losses['ours'].append(ours.step(data)),
            'plain': lambda: plain_step(plain, losses['plain'], *plain_batch(data, args.device)),
        },
        args.repeats,
    )
    gaps = [
        max(abs(one[name].item() / value.item() - 1) for name, value in other.items())
        for one, other in zip(losses['ours'], losses['plain'], strict=True)
    ]
    state = np.array(ours.state_seconds[1:])
    return {
        'losses of the first step, relative difference': gaps[0],
        'losses of all steps, relative difference': max(gaps),
        'ours (s)': float(np.median(seconds['ours'])),
        'plain (s)': float(np.median(seconds['plain'])),
        'time, ratio to plain': median_ratio(seconds['ours'], seconds['plain']),
        'momentum update and queue (s)': float(np.median(state)),
        'momentum update and queue, share of a step': float(np.median(state / seconds['ours'])),
        'ours, memory (MB)': memory['ours'],
        'plain, memory (MB)': memory['plain'],
        'memory, ratio to plain': memory['ours'] / memory['plain'],
    }
