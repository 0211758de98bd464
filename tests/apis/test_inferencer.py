"""MMPretrain's way to search."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from tiny_search import PixelEncoder, draw_crops, write_model

from mmtbps.apis import TextToPersonInferencer
from mmtbps.search import MetadataSource, Searcher

SENTENCES = ['a man in a red coat', 'a woman with a bag', 'a woman']


@pytest.fixture
def crops(tmp_path):
    return draw_crops(tmp_path / 'crops')


@pytest.fixture
def searcher(crops):
    searcher = Searcher(PixelEncoder())
    searcher.index(crops, num_workers=0, progress=False)
    return searcher


def test_model_gallery_and_weights_are_enough(crops, tmp_path):
    config, checkpoint = write_model(tmp_path / 'model')
    arguments = dict(prototype_cache=tmp_path / 'cache', prepare_batch_size=5, device=torch.device('cpu'))
    options = dict(index='FaissFlat', metadata=MetadataSource(pattern=r'p(?P<person>\d)'))
    inferencer = TextToPersonInferencer(config, crops, pretrained=checkpoint, **arguments, **options)
    assert isinstance(inferencer, BaseInferencer)
    (answer,) = inferencer(SENTENCES[0], topk=4, where='person != 2')
    kept = Searcher.load(tmp_path / 'cache', device='cpu')
    assert kept.gallery.store.extra['index'] == dict(type='FaissFlat')
    expected = kept.search(SENTENCES[0], topk=4, where='person != 2')
    assert json.loads(json.dumps(answer)) == [result.to_dict() for result in expected]
    assert {result['metadata']['person'] for result in answer} <= {0, 1, 3}


@pytest.mark.parametrize('batch_size', [1, 2, 64])
def test_answers_are_those_of_the_searcher(searcher, batch_size):
    inferencer = TextToPersonInferencer(searcher)
    expected = searcher.search(SENTENCES, topk=5, rerank='NeighborJaccard', min_score=-0.1)
    options = dict(batch_size=batch_size, topk=5, rerank='NeighborJaccard', min_score=-0.1)
    assert inferencer(SENTENCES, **options) == [[result.to_dict() for result in row] for row in expected]
    samples = inferencer(SENTENCES, return_datasamples=True, **options)
    for sample, sentence, results in zip(samples, SENTENCES, expected, strict=True):
        assert isinstance(sample, DataSample)
        assert sample.query == sentence
        assert sample.results == results
        assert sample.img_path == [result.path for result in results]
        torch.testing.assert_close(sample.pred_score, torch.tensor([result.score for result in results]))


def test_answers_are_drawn(searcher, tmp_path, monkeypatch):
    inferencer = TextToPersonInferencer(searcher)
    shown = []
    monkeypatch.setattr(inferencer.visualizer, 'show', lambda picture, **options: shown.append((picture, options)))
    cosines = [row[0].cosine for row in searcher.search(SENTENCES, topk=1)]
    second = sorted(cosines)[1]
    inferencer(SENTENCES, topk=3, min_score=second, show_dir=tmp_path / 'a' / 'b', show=True, wait_time=1)
    # The sentence that nothing matches has no picture.
    assert sorted(int(file.stem) for file in (tmp_path / 'a' / 'b').iterdir()) == [
        number for number, cosine in enumerate(cosines) if cosine >= second
    ]
    assert [options['wait_time'] for _, options in shown] == [1, 1]
    samples = inferencer(SENTENCES[0], return_datasamples=True, topk=3)
    (picture,) = inferencer.visualize([SENTENCES[0]], samples, show_dir=tmp_path)
    assert np.array_equal(picture, cv2.imread(str(tmp_path / '0.png'))[..., ::-1])
    assert inferencer.visualize([SENTENCES[0]], samples) is None


def test_a_sentence_that_names_a_folder_is_a_sentence(searcher, crops, monkeypatch):
    monkeypatch.chdir(crops.parent)
    assert TextToPersonInferencer(searcher)('crops', topk=1) == [[searcher.search('crops', topk=1)[0].to_dict()]]


def test_configs_are_found_by_name(crops, tmp_path, monkeypatch):
    (name,) = TextToPersonInferencer.list_models('cm-moco_tiny*')
    assert name == 'cm-moco_tiny_toypedes'
    built = []
    monkeypatch.setattr(
        Searcher, 'from_config', lambda config, *rest: built.append((config, rest)) or Searcher(PixelEncoder())
    )
    TextToPersonInferencer(name, crops, pretrained='best.pth')
    ((config, rest),) = built
    assert (config, rest) == (name, ('best.pth', None, None))


def test_what_is_missing_or_too_much_is_said(searcher, crops):
    with pytest.raises(ValueError, match=r'config.py needs pretrained, the file of the weights'):
        TextToPersonInferencer('config.py', crops)
    with pytest.raises(ValueError, match=r'config.py needs prototype, the gallery'):
        TextToPersonInferencer('config.py', pretrained='best.pth')
    with pytest.raises(ValueError, match='this searcher has its own'):
        TextToPersonInferencer(searcher, pretrained='best.pth')
    with pytest.raises(ValueError, match='has no images; give prototype'):
        TextToPersonInferencer(Searcher(PixelEncoder()))
    with pytest.raises(ValueError, match=r"unknown argument {'top'}"):
        TextToPersonInferencer(searcher)(SENTENCES[0], top=3)
    with pytest.raises(ValueError, match=r'topk must be .* got 0'):
        TextToPersonInferencer(searcher)(SENTENCES[0], topk=0)
