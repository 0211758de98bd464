import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_search import WORDS, write_model

from mmtbps.registry import ENCODERS, MODELS, TOKENIZER, TRANSFORMS
from mmtbps.search import ModelEncoder

SENTENCES = ['A man in a red coat.', 'a woman', 'a zebra with a bag and a hat']


@pytest.fixture(scope='module')
def encoder(model_files):
    return ModelEncoder(*model_files)


def predict(model_files, path, captions):
    """The slow plain way: the config's pipeline and the model's predict, one item at a time."""
    config, checkpoint = model_files
    cfg = Config.fromfile(config)
    init_default_scope('mmtbps')
    cfg.model.text_stream.backbone.vocab_size = len(WORDS)
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    results = dict(
        img_path=str(path), captions=captions, tokenizer=TOKENIZER.build(dict(type='WordTokenizer', vocabulary=WORDS))
    )
    for transform in cfg.test_dataloader.dataset.pipeline:
        results = TRANSFORMS.build(transform)(results)
    batch = dict(inputs=dict(image=[results['inputs']['image']]), data_samples=[results['data_samples']])
    with torch.no_grad():
        return model.test_step(batch)[0]


def test_features_are_those_that_a_test_gives(encoder, model_files, crops):
    paths = sorted(crops.rglob('*.png'))[:5]
    images, texts = encoder.encode_images(paths, batch_size=2), encoder.encode_texts(SENTENCES, batch_size=2)
    for path, image in zip(paths, images, strict=True):
        expected = predict(model_files, path, SENTENCES)
        normalise = torch.nn.functional.normalize
        torch.testing.assert_close(image, normalise(expected.image_feat, dim=0), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(texts, normalise(expected.text_feats, dim=1), rtol=1e-5, atol=1e-6)
    assert (images[0] - images[1]).abs().max() > 1e-5


def test_a_picture_is_encoded_as_its_file(encoder, crops):
    path = next(crops.rglob('*.png'))
    assert torch.equal(encoder.encode_images([cv2.imread(str(path))]), encoder.encode_images([path]))


def test_words_that_it_never_learnt_are_known(encoder):
    assert encoder.unknown_words('A zebra, a man; a YETI!') == ['zebra', 'yeti']
    encoder.require_known_words(SENTENCES)
    with pytest.raises(ValueError, match=r"sentence 1 is 'Un zèbre\.', of which the model knows no word"):
        encoder.require_known_words(['a', 'Un zèbre.'])


def test_describes_itself_so_that_it_can_be_built_again(encoder):
    again = ENCODERS.build(encoder.describe())
    assert again.fingerprint == encoder.fingerprint
    assert again.preprocessing == encoder.preprocessing
    assert torch.equal(again.encode_texts(SENTENCES), encoder.encode_texts(SENTENCES))


def test_fingerprint_changes_with_weights_model_and_preprocessing(encoder, tmp_path):
    weights = ModelEncoder(*write_model(tmp_path / 'weights', seed=1)).fingerprint
    assert encoder.fingerprint.differences(weights) == ['weights']
    heads = dict(alignment=dict(type='AlignmentHead', positive_scale=11.0))
    model = ModelEncoder(*write_model(tmp_path / 'model', heads=heads)).fingerprint
    assert 'model' in encoder.fingerprint.differences(model)
    files = write_model(tmp_path / 'size')
    config = Config.fromfile(files[0])
    config.test_dataloader.dataset.pipeline[1].scale = (32, 48)
    size = ModelEncoder(config, files[1]).fingerprint
    assert encoder.fingerprint.differences(size) == ['preprocessing']


@pytest.mark.parametrize('texts', [[], ['a man', '  '], ['...']])
def test_a_sentence_of_nothing_is_refused(encoder, texts):
    with pytest.raises(ValueError, match=r'empty|no word'):
        encoder.encode_texts(texts)


def test_weights_of_another_model_are_refused(model_files, tmp_path):
    config, checkpoint = model_files
    stored = torch.load(checkpoint, weights_only=True)
    stored['state_dict'].pop('image_projection.linear.weight')
    torch.save(stored, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth does not fit .*image_projection'):
        ModelEncoder(config, tmp_path / 'other.pth')
    stored['state_dict']['image_projection.linear.weight'] = torch.zeros(3, 3)
    torch.save(stored, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth does not fit .*size mismatch for image_projection.*\(0 more'):
        ModelEncoder(config, tmp_path / 'other.pth')


def test_features_that_are_not_finite_are_refused(encoder):
    with pytest.raises(ValueError, match='image features'):
        encoder.encode_batch(torch.full((1, 3, 32, 32), np.inf))
