"""Saliency on networks of which one knows where their similarity comes from."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from deploy.small_models import build_encoder, write_files
from torch import nn

from mmtbps.models import TBPSDataPreprocessor
from mmtbps.search.saliency import compute_saliency, draw_saliency, without_word

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
WORDS = {'red': 0, 'green': 1, 'blue': 2}


class ColourModel(nn.Module):
    """The embedding of an image is its mean colour, that of a sentence the mean of its colours' axes."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor = TBPSDataPreprocessor(mean=[0, 0, 0], std=[255, 255, 255])
        self.image_stream = SimpleNamespace(backbone=nn.Sequential(nn.AvgPool2d(4), nn.ReLU(inplace=True)))

    def encode_image(self, images):
        return self.image_stream.backbone(images).mean((2, 3))


class Loud(nn.Module):
    """Overwrite the right edge of an image with white, whatever it shows."""

    def forward(self, images):
        return torch.cat([images[..., :28], torch.ones_like(images[..., 28:])], dim=3)


class ColourEncoder:
    device = torch.device('cpu')

    def __init__(self):
        self.model = ColourModel()

    def image_loader(self, image):
        return torch.from_numpy(image).permute(2, 0, 1)

    def encode_texts(self, texts):
        axes = [sum(torch.eye(3)[WORDS[word]] for word in text.split() if word in WORDS) for text in texts]
        return nn.functional.normalize(torch.stack(axes), dim=1)


@pytest.fixture
def picture():
    """Red above on the left, blue below on the right, on grey."""
    image = np.full((96, 32, 3), 40, np.uint8)
    image[8:24, 4:16] = (0, 0, 255)
    image[72:88, 16:28] = (255, 0, 0)
    return image


def share(values, rows, columns):
    positive = np.maximum(values, 0)
    return positive[rows, columns].sum() / positive.sum()


def test_map_is_where_the_colour_is(picture):
    red, blue = (compute_saliency(ColourEncoder(), picture, f'a {word} coat') for word in ('red', 'blue'))
    assert red.shape == picture.shape[:2]
    assert share(red, slice(8, 24), slice(4, 16)) > 0.5
    assert share(blue, slice(72, 88), slice(16, 28)) > 0.5


def test_loud_background_that_does_not_matter_is_not_shown(picture):
    """Activations of the background are large, but the same in every picture."""
    encoder = ColourEncoder()
    encoder.model.image_stream.backbone = nn.Sequential(Loud(), nn.AvgPool2d(4), nn.ReLU(inplace=True))
    values = compute_saliency(encoder, picture, 'a red coat')
    assert share(values, slice(8, 24), slice(4, 16)) > 0.5
    assert np.abs(values[:, 28:]).max() == 0


def test_word_shows_what_it_adds_to_the_sentence(picture):
    values = compute_saliency(ColourEncoder(), picture, 'red and blue', word='blue')
    assert share(values, slice(72, 88), slice(16, 28)) > 0.5
    assert values[8:24, 4:16].max() < 0


def test_contributions_add_up_to_the_difference_of_cosines(picture):
    encoder = ColourEncoder()
    encoder.model.image_stream.backbone = nn.Sequential(nn.AvgPool2d(4), nn.Softplus())
    plain = [np.full_like(picture, level) for level in (0, 128, 255)]
    images = torch.stack([encoder.image_loader(image) for image in (picture, *plain)]).flip(1) / 255.0
    cosines = nn.functional.normalize(encoder.model.encode_image(images)) @ encoder.encode_texts(['red'])[0]
    expected = cosines[0] - cosines[1:].mean()
    assert compute_saliency(encoder, picture, 'red', steps=50).sum() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize('kind', ['clip resnet, gru', 'clip vit, clip text', 'mmpretrain resnet, legacy gru'])
def test_every_kind_of_stream_has_a_map(kind, tmp_path, picture):
    encoder = build_encoder(tmp_path, kind)
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    values = compute_saliency(encoder, picture, 'a woman in red', 'red')
    assert values.ndim == 2
    assert np.abs(values).max() > 0
    assert all(torch.equal(value, before[name]) for name, value in encoder.model.state_dict().items())
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


@pytest.mark.parametrize(('sentence', 'word'), [('a man', 'woman'), ('red', 'red')])
def test_a_word_that_is_not_there_is_refused(sentence, word):
    with pytest.raises(ValueError, match='one of several words'):
        without_word(sentence, word)


def test_punctuation_is_no_part_of_a_word():
    assert without_word('A man, in Red.', 'red') == 'A man, in'


def test_no_steps_are_refused(picture):
    with pytest.raises(ValueError, match='steps'):
        compute_saliency(ColourEncoder(), picture, 'red', steps=0)


def test_tools_draw_and_point(tmp_path, picture, capsys):
    config, checkpoint = write_files(tmp_path, 'clip resnet, gru')
    cv2.imwrite(str(tmp_path / 'image.png'), picture)
    arguments = [str(config), str(checkpoint), str(tmp_path / 'image.png'), 'a woman in red', str(tmp_path / 'out.png')]
    runpy.run_path(str(TOOLS / 'draw_saliency.py'))['main']([*arguments, '--words', 'red', 'woman'])
    one = draw_saliency(build_encoder(tmp_path, 'clip resnet, gru'), picture, 'a woman in red')
    three = cv2.imread(str(tmp_path / 'out.png'))
    assert three.shape[1] == 2 * one.shape[1]
    runpy.run_path(str(TOOLS / 'saliency_pointing.py'))['main']([str(config), str(checkpoint), '--count', '3'])
    assert 'peak on the garment' in capsys.readouterr().out
