"""A tiny retriever that has learnt what drawn persons wear, and their images."""

import itertools

import cv2
import numpy as np
import torch
from tiny_search import write_model

from mmtbps.models.data_preprocessor import pad_tokens
from mmtbps.search import ModelEncoder
from mmtbps.search.encoders.model_encoder import prepare_images

COLOURS = dict(red=(50, 40, 200), green=(60, 170, 60), blue=(200, 70, 40))  # BGR


def describe(coat, hat):
    return f'a man in a {coat} coat with a {hat} hat'


def draw_person(path, coat, hat, seed):
    """32 x 16 pixels: a hat on top of a coat."""
    picture = np.empty((32, 16, 3))
    picture[:12], picture[12:] = COLOURS[hat], COLOURS[coat]
    noise = np.random.default_rng(seed).integers(-25, 26, picture.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(picture + noise, 0, 255).astype(np.uint8))
    return path


def draw_persons(folder, images=3):
    """Nine persons, one for each coat and hat; the file's name tells which."""
    return [
        draw_person(folder / f'{number}' / f'{coat}_{hat}_{image}.png', coat, hat, 10 * number + image)
        for number, (coat, hat) in enumerate(itertools.product(COLOURS, repeat=2))
        for image in range(images)
    ]


def write_trained_model(folder, paths, steps=150):
    """Write config and checkpoint of a model that was trained on the persons; returns both paths."""
    config, checkpoint = write_model(folder)
    encoder = ModelEncoder(config, checkpoint)
    model = encoder.model.train()
    images = prepare_images(model.data_preprocessor, torch.stack([encoder.image_loader(path) for path in paths]))
    worn = [path.stem.split('_')[:2] for path in paths]
    tokenizer = encoder.tokenizer
    texts = pad_tokens([tokenizer.encode(describe(*colours)) for colours in worn], tokenizer.pad_id)
    same = torch.tensor([[float(one == other) for other in worn] for one in worn])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        image_feats = torch.nn.functional.normalize(model.encode_image(images))
        text_feats = torch.nn.functional.normalize(model.encode_text(*texts))
        logits = 10 * text_feats @ image_feats.T
        target = same / same.sum(1)
        loss = sum(torch.nn.functional.cross_entropy(scores, target) for scores in (logits, logits.T))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    stored = torch.load(checkpoint)
    torch.save(dict(stored, state_dict=model.state_dict()), checkpoint)
    return config, checkpoint
