"""Images of a training batch on one core: our data set and pipeline against PIL + torchvision.

Both read the same files (random texture) and apply the same augmentations: resize, flip, pad 10, crop, erase.
The plain pipeline ends in a normalised float batch. Ours ends in a batch of bytes, captions tokenized, because the data
preprocessor normalises on the device; what that costs on this CPU is given apart, with the ratio that includes it.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from PIL import Image
from torchvision import transforms

from mmtbps.datasets import CUHKPEDES
from mmtbps.models import TBPSDataPreprocessor

from .common import median_ratio, single_thread, time_in_turn

# Those of CLIP, on the scale 0 .. 1.
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
CAPTION = 'The man has short black hair. He wears a white T-shirt and dark jeans, and carries a red bag.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--formats', nargs='+', choices=('jpg', 'png'), default=['jpg', 'png'])
    parser.add_argument('--images', type=int, default=128, help='images of the batch (default: %(default)s)')
    parser.add_argument('--file-size', type=int, nargs=2, default=[256, 100], metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--quality', type=int, default=92, help='of JPEGs (default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=[384, 128], metavar=('HEIGHT', 'WIDTH'), help='of batches')


def write_dataset(root: Path, args: argparse.Namespace, suffix: str) -> list[str]:
    """Write images and their annotation in CUHK-PEDES's layout; return the images' paths."""
    height, width = args.file_size
    options = [cv2.IMWRITE_JPEG_QUALITY, args.quality] if suffix == 'jpg' else []
    rng = np.random.default_rng(0)
    (root / 'imgs').mkdir(parents=True)
    entries, paths = [], []
    for index in range(args.images):
        coarse = rng.integers(0, 256, (max(height // 8, 1), max(width // 8, 1), 3), dtype=np.uint8)
        noise = rng.integers(-8, 9, (height, width, 3))
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + noise
        name = f'{index}.{suffix}'
        paths.append(str(root / 'imgs' / name))
        cv2.imwrite(paths[-1], image.clip(0, 255).astype(np.uint8), options)
        entries.append(dict(split='train', captions=[CAPTION], file_path=name, id=index))
    (root / 'reid_raw.json').write_text(json.dumps(entries), encoding='utf-8')
    return paths


def measure(root: Path, args: argparse.Namespace, suffix: str) -> dict[str, float]:
    """Measure both pipelines on files of one format."""
    paths = write_dataset(root, args, suffix)
    plain = transforms.Compose(
        [
            transforms.Resize(args.size),
            transforms.RandomHorizontalFlip(),
            transforms.Pad(10),
            transforms.RandomCrop(args.size),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
            transforms.RandomErasing(0.5, scale=(0.02, 0.4), value=MEAN),
        ]
    )
    names = ('LoadPersonImage', 'ResizeFlipCrop', 'RandomErasingBox', 'TokenizeCaption', 'PackTBPSInputs')
    pipeline = [dict(type=name) for name in names]
    pipeline[1]['size'] = args.size
    dataset = CUHKPEDES(data_root=str(root), pipeline=pipeline)
    preprocessor = TBPSDataPreprocessor([255 * value for value in MEAN], [255 * value for value in STD])

    def plain_batch() -> torch.Tensor:
        return torch.stack([plain(Image.open(path).convert('RGB')) for path in paths])

    def batch() -> dict:
        return default_collate([dataset[index] for index in range(len(dataset))])

    packed = batch()
    seconds = time_in_turn(
        {'plain': plain_batch, 'ours': batch, 'normalize': lambda: preprocessor(packed)}, args.repeats
    )
    rates = {name: float(len(paths) / np.median(values)) for name, values in seconds.items()}
    return {
        'plain, to normalised floats (images/s)': rates['plain'],
        'ours, to bytes (images/s)': rates['ours'],
        'ratio to plain': median_ratio(seconds['plain'], seconds['ours']),
        'normalising on this CPU (images/s)': rates['normalize'],
        'ratio to plain, including it': median_ratio(seconds['plain'], seconds['ours'] + seconds['normalize']),
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure every format."""
    single_thread()
    init_default_scope('mmtbps')
    with tempfile.TemporaryDirectory() as folder:
        return {suffix: measure(Path(folder) / suffix, args, suffix) for suffix in args.formats}
