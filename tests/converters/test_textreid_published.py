"""A checkpoint in the public code's layout under a ``-published`` config has the figures of a plain evaluation."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from open_clip.modified_resnet import ModifiedResNet
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torchvision.models import resnet50

import mmtbps
from mmtbps.apis import test as evaluate
from mmtbps.datasets.toy_pedes import draw_toy_pedes

ROOT = Path(mmtbps.__file__).parents[1]
TOOL = ROOT / 'tools' / 'model_converters' / 'textreid_to_mmtbps.py'
CLIP = dict(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
SIZE, WORD, HIDDEN, DIM, CLASSES, QUEUE = (384, 128), 24, 20, 256, 30, 2048
BATCH = 16  # images; several batches, since the length of a sentence's batch counts


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'toypedes'
    return draw_toy_pedes(root, num_train_ids=1, num_val_ids=1, num_test_ids=20, images_per_id=2, seed=3)


@pytest.fixture(scope='module')
def entries(data_root):
    return [entry for entry in json.loads((data_root / 'reid_raw.json').read_text()) if entry['split'] == 'test']


@pytest.fixture(scope='module')
def words(entries):
    return ['<pad>', '<unk>', *sorted({word for e in entries for tokens in e['processed_tokens'] for word in tokens})]


def random_weights(shapes):
    """Weights that keep the size of what they transform, and running statistics of any kind."""
    state = {}
    for name, shape in shapes.items():
        if name.endswith('num_batches_tracked'):
            state[name] = torch.tensor(1000)
        elif name.endswith('running_var') or (len(shape) == 1 and name.endswith('weight')):
            state[name] = 0.5 + torch.rand(shape)
        else:
            state[name] = torch.randn(shape) * math.sqrt(2 / max(math.prod(shape[1:]), 8))
    return state


def clip_resnet():
    """CLIP's network, whose last layer keeps the size of the map, with one block a layer."""
    network = ModifiedResNet([1, 1, 1, 1], output_dim=48, heads=2, image_size=64, width=4)
    network.layer4[0].avgpool = nn.Identity()
    network.layer4[0].downsample[0] = nn.Identity()
    network.attnpool.positional_embedding = nn.Parameter(torch.empty(1 + 24 * 8, 128))
    network.load_state_dict(random_weights({name: value.shape for name, value in network.state_dict().items()}))
    return network.eval()


class ThinResNet50(nn.Module):
    """ImageNet's ResNet-50 by its weights' names, last stride 1, with a sixteenth of the channels, then the mean."""

    def __init__(self):
        super().__init__()
        with torch.device('meta'):
            full = {name: value.shape for name, value in resnet50().state_dict().items() if 'fc.' not in name}
        thin = {name: [side // 16 if side >= 64 else side for side in shape] for name, shape in full.items()}
        self.weights = random_weights(thin)

    def state_dict(self):
        return self.weights

    def convolve(self, features, convolution, norm, stride=1, padding=0):
        features = F.conv2d(features, self.weights[f'{convolution}.weight'], stride=stride, padding=padding)
        parts = ('running_mean', 'running_var', 'weight', 'bias')
        return F.batch_norm(features, *(self.weights[f'{norm}.{part}'] for part in parts))

    def block(self, features, prefix, stride):
        inner = F.relu(self.convolve(features, f'{prefix}.conv1', f'{prefix}.bn1'))
        inner = F.relu(self.convolve(inner, f'{prefix}.conv2', f'{prefix}.bn2', stride, padding=1))
        inner = self.convolve(inner, f'{prefix}.conv3', f'{prefix}.bn3')
        if f'{prefix}.downsample.0.weight' in self.weights:
            features = self.convolve(features, f'{prefix}.downsample.0', f'{prefix}.downsample.1', stride)
        return F.relu(inner + features)

    def forward(self, images):
        features = F.max_pool2d(F.relu(self.convolve(images, 'conv1', 'bn1', 2, padding=3)), 3, stride=2, padding=1)
        for layer, (blocks, stride) in enumerate([(3, 1), (4, 2), (6, 2), (3, 1)], start=1):
            for block in range(blocks):
                features = self.block(features, f'layer{layer}.{block}', stride if block == 0 else 1)
        return features.mean(dim=(2, 3))


def public_state(network, channels, gru, names):
    """What the public code stores of both encoders, their projections and the classifier."""
    state = {f'visual_model.{name}': value for name, value in network.state_dict().items()}
    state |= {f'textual_model.gru.{name}': value.detach() for name, value in gru.state_dict().items()}
    for name, width in zip(names, (channels, 2 * HIDDEN), strict=True):
        state[f'embed_model.{name}.weight'] = torch.randn(DIM, width) / math.sqrt(width)
        state[f'embed_model.{name}.bias'] = 0.1 * torch.randn(DIM)
    return {**state, 'embed_model.loss_evaluator.projection': torch.randn(DIM, CLASSES)}


def with_contrast(state):
    """Momentum contrast beside the encoders: these under a second name, their keys, and the queues."""
    state = dict(state)
    for name, value in list(state.items()):
        for there, here in (('visual_model.', 'v_encoder'), ('textual_model.', 't_encoder')):
            if name.startswith(there):
                state[f'embed_model.{here}_q.{name.removeprefix(there)}'] = value
                state[f'embed_model.{here}_k.{name.removeprefix(there)}'] = value + 1
    state |= {f'embed_model.{modality}_queue': F.normalize(torch.rand(DIM, QUEUE), dim=0) for modality in 'vt'}
    state['embed_model.id_queue'] = torch.full((1, QUEUE), -1)
    return {**state, 'embed_model.queue_ptr': torch.tensor([0])}


def read_publicly(file):
    """What the public code takes from a file: the weights under 'model', less 'module.' where all have it."""
    state = torch.load(file, weights_only=True)['model']
    parallel = all(name.startswith('module.') for name in state)
    return {name.removeprefix('module.') if parallel else name: value for name, value in state.items()}


@torch.no_grad()
def image_features(network, state, name, data_root, entries, mean, std):
    (height, width), images = SIZE, []
    for entry in entries:
        image = Image.open(data_root / 'imgs' / entry['file_path']).convert('RGB')
        pixels = np.array(image.resize((width, height), Image.BILINEAR), dtype=np.float32) / 255
        images.append(torch.from_numpy((pixels - np.float32(mean)) / np.float32(std)).permute(2, 0, 1))
    return F.linear(
        network(torch.stack(images)), state[f'embed_model.{name}.weight'], state[f'embed_model.{name}.bias']
    )


@torch.no_grad()
def text_features(gru, table, state, name, entries, words):
    """The maximum over time runs over the zeros after every sentence but the longest of its batch."""
    ids, features = {word: number for number, word in enumerate(words)}, []
    for start in range(0, len(entries), BATCH):
        sentences = [tokens for entry in entries[start : start + BATCH] for tokens in entry['processed_tokens']]
        lengths = torch.tensor([len(tokens) for tokens in sentences])
        padded = torch.zeros(len(sentences), int(lengths.max()), dtype=torch.int64)
        for row, tokens in zip(padded, sentences, strict=True):
            row[: len(tokens)] = torch.tensor([ids[word] for word in tokens])
        packed = pack_padded_sequence(table[padded], lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True)
        features.append(states.max(dim=1).values)
    weight, bias = state[f'embed_model.{name}.weight'], state[f'embed_model.{name}.bias']
    return F.linear(torch.cat(features), weight, bias)


def recall(texts, images, entries):
    """R@1, R@5 and R@10 from text to image."""
    persons = np.array([entry['id'] for entry in entries])
    asked = np.repeat(persons, [len(entry['captions']) for entry in entries])
    order = (F.normalize(texts) @ F.normalize(images).T).argsort(dim=1, descending=True).numpy()
    right = persons[order] == asked[:, None]
    return {f't2i/R@{k}': 100 * right[:, :k].any(axis=1).mean() for k in (1, 5, 10)}


def thin_config(leaf, image, channels, data_root, work_dir):
    """The config as it stands, with thin networks and other data."""
    cfg = Config.fromfile(ROOT / 'configs' / 'cm_moco' / f'cm-moco_{leaf}_1xb128-80e_cuhk-pedes-published.py')
    cfg.model.image_stream.backbone.update(init_cfg=None, **image)
    cfg.model.image_projection.in_channels = channels
    cfg.model.text_stream.backbone.embed_dims = WORD
    cfg.model.text_stream.neck.update(in_channels=WORD, hidden_size=HIDDEN)
    cfg.model.text_projection.in_channels = 2 * HIDDEN
    cfg.test_dataloader.dataset.update(type='ToyPEDES', data_root=str(data_root))
    cfg.test_dataloader.update(batch_size=BATCH, num_workers=0, persistent_workers=False)
    cfg.update(work_dir=str(work_dir), experiment_name=f'published_{leaf}')
    return cfg


CASES = {
    'clip-r50-clip-words-bigru': (clip_resnet, 48, dict(layers=(1, 1, 1, 1), width=4, heads=2, output_dim=48), CLIP),
    'r50-bigru': (ThinResNet50, 128, dict(stem_channels=4, base_channels=4), IMAGENET),
}


@pytest.mark.parametrize('leaf', CASES)
def test_figures_of_a_plain_evaluation(leaf, data_root, entries, words, tmp_path):
    """Momentum contrast with a table of words that is kept apart; a baseline with words that it learnt."""
    torch.manual_seed(0)
    build, channels, image, normalisation = CASES[leaf]
    # Words that have something in common keep units of the GRU below 0 throughout, so that the padding shows.
    network, table = build(), torch.randn(len(words), WORD) + 1
    gru = nn.GRU(WORD, HIDDEN, bias=False, bidirectional=True, batch_first=True)
    baseline = leaf == 'r50-bigru'
    names = ('visual_embed_layer', 'textual_embed_layer') if baseline else ('v_embed_layer', 't_embed_layer')
    state = public_state(network, channels, gru, names)
    state = {**state, 'textual_model.embed.weight': table} if baseline else with_contrast(state)

    torch.save(dict(model={f'module.{name}': value for name, value in state.items()}), tmp_path / 'theirs.pth')
    np.save(tmp_path / 'table.npy', table)
    (tmp_path / 'words.txt').write_text('\n'.join(words))
    convert = runpy.run_path(str(TOOL))['main']
    apart = [] if baseline else ['--word-table', str(tmp_path / 'table.npy')]
    convert([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth'), '--words', str(tmp_path / 'words.txt'), *apart])

    cfg = thin_config(leaf, image, channels, data_root, tmp_path / 'run')
    figures = evaluate(cfg, str(tmp_path / 'ours.pth'), dump_to=str(tmp_path / 'features.npz'))
    images = image_features(network, state, names[0], data_root, entries, **normalisation)
    texts = text_features(gru, table, state, names[1], entries, words)
    with np.load(tmp_path / 'features.npz') as dumped:
        for name, expected in dict(image_feats=images, text_feats=texts).items():
            np.testing.assert_allclose(dumped[name], expected, atol=5e-5 * expected.abs().max())
    expected = recall(texts, images, entries)
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-10)
    assert 0 < expected['t2i/R@1'] < expected['t2i/R@10'] < 100

    back = [str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth'), '--reverse', *['--learnt-words'][:baseline]]
    convert(back)
    again = read_publicly(tmp_path / 'back.pth')
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], value) for name, value in state.items())
