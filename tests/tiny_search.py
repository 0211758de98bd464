"""A tiny retriever on disk, an encoder that needs no model, and images."""

import hashlib

import cv2
import numpy as np
import torch
from mmengine.config import Config
from tiny_retriever import dual_stream_config

from mmtbps.core.images import read_image
from mmtbps.registry import ENCODERS, MODELS
from mmtbps.search import Encoder, Fingerprint

WORDS = ['<pad>', '<unk>', 'a', 'man', 'woman', 'in', 'red', 'green', 'blue', 'coat', 'with', 'bag', 'hat']


def write_model(folder, seed=0, **changes):
    """Write config and checkpoint; returns both paths."""
    folder.mkdir(exist_ok=True)
    model = dual_stream_config(
        data_preprocessor=dict(type='TBPSDataPreprocessor', mean=[120.0, 115.0, 105.0], std=[70.0, 65.0, 60.0]),
        **changes,
    )
    model['text_stream']['backbone']['vocab_size'] = None
    dataset = dict(
        type='ToyPEDES', data_root='nowhere', split='test', test_mode=True, tokenizer=dict(type='WordTokenizer'),
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='Resize', scale=(32, 32)),
            dict(type='TokenizeCaption'),
            dict(type='PackTBPSInputs'),
        ],
    )  # fmt: skip
    config = Config(dict(default_scope='mmtbps', model=model, test_dataloader=dict(dataset=dataset)))
    config.dump(folder / 'config.py')
    torch.manual_seed(seed)
    model['text_stream']['backbone']['vocab_size'] = len(WORDS)
    weights = MODELS.build(model).state_dict()
    torch.save(dict(state_dict=weights, meta=dict(dataset_meta=dict(vocabulary=WORDS))), folder / 'model.pth')
    return folder / 'config.py', folder / 'model.pth'


def draw_crops(folder, persons=4, cameras=3):
    rng = np.random.default_rng(0)
    for person in range(persons):
        colour = rng.integers(0, 256, 3)
        for camera in range(cameras):
            path = folder / f'cam{camera}' / f'p{person}_t{10 * camera}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.clip(colour + rng.integers(-20, 21, (30, 14, 3)), 0, 255)
            cv2.imwrite(str(path), picture.astype(np.uint8))
    return folder


def load_pixels(image):
    """Load a picture, 8 x 4 pixels."""
    picture = image if isinstance(image, np.ndarray) else read_image(str(image))
    return torch.from_numpy(cv2.resize(picture, (4, 8))).permute(2, 0, 1)


@ENCODERS.register_module()
class PixelEncoder(Encoder):
    """Compares pixels; a sentence is a picture made of its letters. Counts what it encodes."""

    def __init__(self, salt='', device='cpu'):
        self.salt = salt
        self.image_loader = load_pixels
        self.preprocessing = dict(size=[8, 4])
        self.fingerprint = Fingerprint(f'weights{salt}', 'model', 'pixels')
        self.encoded = 0

    def embed_images(self, images):
        self.encoded += len(images)
        return images.flatten(1).double() - 127.5

    def embed_texts(self, texts):
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        return torch.stack([torch.randn(96, generator=torch.Generator().manual_seed(seed)) for seed in seeds])

    def describe(self):
        return dict(type='PixelEncoder', salt=self.salt)
