"""Indexing a folder of images with CLIP: our gallery against a loop of open_clip, PIL and torch.

Both have the same random weights and the same number of processes that load images, and resize to the same size. The
plain loop ends with unit features in memory; ours also hashes the files, keeps their metadata and writes a gallery that
can be searched. --int8 adds the same model exported and quantised, on the CPU.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from mmengine.registry import init_default_scope
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from mmtbps.converters import Options, convert_file
from mmtbps.deploy import ONNXEncoder, export_onnx, quantize_onnx
from mmtbps.search import Encoder, ModelEncoder, Searcher

from .common import median_ratio, time_in_turn
from .pipeline import write_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--model', default='ViT-B-16', help="open_clip's name of the model (default: %(default)s)")
    parser.add_argument('--images', type=int, default=128, help='images of the folder (default: %(default)s)')
    parser.add_argument('--file-size', type=int, nargs=2, default=[256, 100], metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--quality', type=int, default=92, help='of JPEGs (default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=[384, 128], metavar=('HEIGHT', 'WIDTH'), help='of inputs')
    parser.add_argument('--batch-size', type=int, default=64, help='(default: %(default)s)')
    parser.add_argument('--workers', type=int, default=2, help='processes that load images (default: %(default)s)')
    parser.add_argument('--int8', action='store_true', help='measure the int8 export as well')


class PlainImages(Dataset):
    """Files through open_clip's preprocessing."""

    def __init__(self, paths: list[str], preprocess: Callable[[Image.Image], torch.Tensor]) -> None:
        self.paths, self.preprocess = paths, preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.preprocess(Image.open(self.paths[index]))


def build(folder: Path, args: argparse.Namespace) -> tuple[Any, ModelEncoder]:
    """Make open_clip's model with random weights, and ours of the same weights."""
    torch.manual_seed(0)
    network = open_clip.create_model(args.model, force_image_size=tuple(args.size)).eval()
    torch.save(network.state_dict(), folder / 'theirs.pth')
    quick = open_clip.get_model_config(args.model).get('quick_gelu', False)
    convert_file(
        folder / 'theirs.pth', folder / 'ours.pth', 'clip', Options(tuple(args.size), quick_gelu=quick)
    )  # fmt: skip
    return network, ModelEncoder(folder / 'ours.py', folder / 'ours.pth', 'cpu')


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure in turn."""
    init_default_scope('mmtbps')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_dataset(folder / 'data', args, 'jpg')
        network, encoder = build(folder, args)
        settings = PreprocessCfg(size=tuple(args.size), interpolation='bicubic', resize_mode='squash')
        images = PlainImages(paths, image_transform_v2(settings, is_train=False))

        @torch.inference_mode()
        def plain() -> torch.Tensor:
            loader = DataLoader(images, args.batch_size, num_workers=args.workers)
            return torch.cat([F.normalize(network.encode_image(batch)) for batch in loader])

        def index(encoder: Encoder) -> None:
            shutil.rmtree(folder / 'gallery', ignore_errors=True)
            options = dict(batch_size=args.batch_size, num_workers=args.workers)
            Searcher(encoder).index(folder / 'data' / 'imgs', folder / 'gallery', **options)

        candidates: dict[str, Callable[[], Any]] = {'plain': plain, 'ours': lambda: index(encoder)}
        if args.int8:
            export_onnx(encoder, folder / 'onnx')
            quantize_onnx(folder / 'onnx', folder / 'int8')
            small = ONNXEncoder(folder / 'int8', 'cpu')
            candidates['int8'] = lambda: index(small)
        seconds = time_in_turn(candidates, args.repeats)
        cosine = float((plain() * encoder.encode_images(paths)).sum(dim=1).min())
    figures = {
        'plain loop of open_clip (images/s)': float(args.images / np.median(seconds['plain'])),
        'ours, gallery written (images/s)': float(args.images / np.median(seconds['ours'])),
        'ratio to plain': median_ratio(seconds['plain'], seconds['ours']),
        'lowest cosine to the plain features': cosine,
    }
    if args.int8:
        figures['ours, int8 (images/s)'] = float(args.images / np.median(seconds['int8']))
        figures['ratio to plain, int8'] = median_ratio(seconds['plain'], seconds['int8'])
    return figures
