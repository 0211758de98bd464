"""Features of a few images and captions, and the images."""

import cv2
import numpy as np
import torch

from mmtbps.evaluation import Features


def make_features(folder, count=12, persons=4, dim=8, seed=0, noise=1.0):
    """Images of a few persons with 0, 1 or 2 captions each; the captions are the same for every seed and noise."""
    rng = torch.Generator().manual_seed(seed)
    centres = torch.randn(persons, dim, generator=torch.Generator().manual_seed(99))
    pids = torch.arange(count) % persons
    text_images = torch.arange(count).repeat_interleave(torch.arange(count) % 3)
    paths = []
    for index in range(count):
        file = folder / 'imgs' / f'{index}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((30, 10, 3), 20 * index, np.uint8))
        paths.append(str(file))
    return Features(
        image_feats=centres[pids] + noise * torch.randn(count, dim, generator=rng),
        image_pids=pids,
        image_paths=paths,
        text_feats=centres[pids[text_images]] + noise * torch.randn(len(text_images), dim, generator=rng),
        captions=[f'caption {i} of <image> {int(image)}, "red"' for i, image in enumerate(text_images)],
        text_images=text_images,
        meta=dict(model='Tiny', checkpoint='tiny.pth', trained_on='Here', dataset='There', split='test'),
    )
