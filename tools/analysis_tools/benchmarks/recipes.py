"""Forward and backward pass of the recipes on CLIP's towers, each in turn, as ratios to plain InfoNCE.

Weights and batch are random, since they do not matter for the time; captions have 12 to 40 tokens. Optimizer steps are
left out: the recipes train about the same weights. The batch is small by default, so that all models fit into memory;
what the heads add to the towers shrinks with it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample

from mmtbps.datasets import IGNORED, CLIPTokenizer
from mmtbps.registry import MODELS

from .common import median_ratio, time_in_turn

CONFIGS = Path(__file__).parents[3] / 'configs'
LEAVES = (
    'clip/clip_vit-b16_1xb64-60e_cuhk-pedes',
    'clip/clip_vit-b16-cm-moco_1xb64-60e_cuhk-pedes',
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes',
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes-published',
    'rde/rde_vit-b16_1xb64-60e_cuhk-pedes',
    'tbps_clip/tbps-clip-simplified_vit-b16_4xb80-5e_cuhk-pedes',
    'tbps_clip/tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--batch-size', type=int, default=8, help='(default: %(default)s)')
    parser.add_argument('--classes', type=int, default=11003, help='(default: %(default)s)')
    parser.add_argument('--tower-width', type=int, default=None, help='of thin towers, to try the benchmark out')
    parser.add_argument('--chunk-size', type=int, default=None, help='see DualStreamRetriever (default: whole batch)')
    parser.add_argument('--device', default='cpu', help='(default: %(default)s)')


def build(leaf: str, args: argparse.Namespace) -> torch.nn.Module:
    """Build the model of a leaf from random weights."""
    model = Config.fromfile(CONFIGS / f'{leaf}.py').model
    for stream in (model.image_stream, model.text_stream):
        stream.backbone.init_cfg = None
    if args.tower_width:
        arch = dict(embed_dim=512, layers=1, width=args.tower_width)
        model.image_stream.backbone.arch = dict(arch, patch_size=16, head_width=16)
        model.text_stream.backbone.arch = dict(arch, heads=2)
    sizes = dict(identity=dict(num_classes=args.classes), words=dict(vocab_size=CLIPTokenizer().vocab_size))
    for name, size in sizes.items():
        if name in model.heads:
            model.heads[name].update(size)
    # Batch norm does not go in chunks.
    if args.chunk_size and 'neck' not in model.image_stream:
        model.chunk_size = args.chunk_size
    model.data_preprocessor = dict(type='BaseDataPreprocessor')
    return MODELS.build(model).to(args.device).train()


def random_batch(model: torch.nn.Module, args: argparse.Namespace) -> dict[str, Any]:
    """A batch with all views that heads may need."""
    size = model.image_stream.backbone.image_size
    count, tokenizer = args.batch_size, CLIPTokenizer()
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(12, 41, (count,), generator=generator)
    tokens = torch.randint(1, tokenizer.mask_id, (count, int(lengths.max())), generator=generator)
    places = torch.arange(tokens.shape[1])
    tokens[places == lengths[:, None] - 1] = tokenizer.vocab_size - 1
    masked = (torch.rand(tokens.shape, generator=generator) < 0.15) & (places < lengths[:, None] - 1)
    masked[:, 1] = True
    labels = tokens.masked_fill(~masked, IGNORED)
    images = torch.randn(4, count, 3, *size, generator=generator).to(args.device)
    views: dict[str, Any] = {
        name: dict(images=image) for name, image in zip(('second', 'strong_1', 'strong_2'), images[1:], strict=True)
    }
    tokens = tokens.to(args.device)
    in_place = any(getattr(head, 'caption_is_masked', False) for head in model.heads.values())
    words = {} if in_place else dict(tokens=tokens, lengths=lengths)
    views['masked'] = dict(words, labels=labels.to(args.device))
    samples = [DataSample() for _ in range(count)]
    for place, sample in enumerate(samples):
        sample.set_field(place // 2, 'person_id')
        sample.set_field(place, 'sample_idx')
    inputs = dict(images=images[0], tokens=tokens, lengths=lengths, captions_per_image=[1] * count, views=views)
    return dict(inputs=inputs, data_samples=samples)


def make_step(model: Any, batch: dict[str, Any]) -> Callable[[], None]:
    """Forward and backward pass of a model on a batch."""

    def step() -> None:
        losses = model.loss(**batch)
        sum(losses.values()).backward()
        model.zero_grad(set_to_none=True)
        if hasattr(model, 'queue'):
            model.queue.commit()
        if batch['inputs']['images'].is_cuda:
            torch.cuda.synchronize()

    return step


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Time the recipes in turn."""
    init_default_scope('mmtbps')
    steps = {}
    for leaf in LEAVES:
        model = build(leaf, args)
        steps[leaf.split('/')[1]] = make_step(model, random_batch(model, args))
    seconds = time_in_turn(steps, args.repeats)
    plain = seconds[LEAVES[0].split('/')[1]]
    return {
        name: dict(seconds=float(np.median(values)), ratio=median_ratio(values, plain))
        for name, values in seconds.items()
    }
