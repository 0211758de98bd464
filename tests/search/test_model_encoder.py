import json
from contextlib import nullcontext

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_search import WORDS, write_model

from mmtbps.models import DualStreamRetriever
from mmtbps.registry import MODELS, TOKENIZER, TRANSFORMS
from mmtbps.search import ModelEncoder
from mmtbps.search.encoders.rebuild import rebuild_encoder

VECTOR = torch.ones(2)
SENTENCES = ['A man in a red coat.', 'a woman', 'a zebra with a bag and a hat']


@pytest.fixture(scope='module')
def encoder(model_files):
    return ModelEncoder(*model_files, 'cpu')


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
    written = json.dumps(dict(encoder=encoder.describe(), modules=encoder.modules))
    again = rebuild_encoder(json.loads(written), 'index.json')
    assert again.fingerprint == encoder.fingerprint
    assert again.preprocessing == encoder.preprocessing
    assert torch.equal(again.encode_texts(SENTENCES), encoder.encode_texts(SENTENCES))


def test_fingerprint_changes_with_weights_model_and_preprocessing(encoder, model_files, tmp_path):
    weights = ModelEncoder(*write_model(tmp_path / 'weights', seed=1)).fingerprint
    assert encoder.fingerprint.differences(weights) == ['weights']
    config = Config.fromfile(model_files[0])
    config.model.image_stream.backbone.input_size = (64, 16)  # as many places
    config.model.image_stream.backbone.init_cfg = dict(type='Pretrained', checkpoint='nowhere.pth')
    stored = torch.load(model_files[1], weights_only=True)
    stored['state_dict']['image_stream.backbone.attnpool.positional_grid'] = torch.tensor([4, 1])
    torch.save(stored, tmp_path / 'other.pth')
    assert encoder.fingerprint.differences(ModelEncoder(config, tmp_path / 'other.pth').fingerprint) == [
        'weights',
        'model',
    ]
    config = Config.fromfile(model_files[0])
    config.test_dataloader.dataset.pipeline[1].scale = (32, 48)
    assert encoder.fingerprint.differences(ModelEncoder(config, model_files[1]).fingerprint) == ['preprocessing']


def without(stored, start='nothing', ends='nothing'):
    return {k: v for k, v in stored['state_dict'].items() if not (k.startswith(start) or k.endswith(ends))}


def prefixed(stored):
    return {f'module.{name}': value for name, value in stored['state_dict'].items()}


def changed(stored, weights):
    return dict(stored, state_dict={**stored['state_dict'], **weights})


@pytest.mark.parametrize(
    ('change', 'unused'),
    [
        (lambda stored: dict(stored, state_dict=without(stored, 'heads.')), None),
        (lambda stored: dict(meta=stored['meta'], model=prefixed(stored)), None),
        (lambda stored: dict(stored, state_dict=without(stored, ends='num_batches_tracked')), None),
        (lambda stored: changed(stored, {'queue.image': VECTOR, 'adapter.bias': VECTOR}), r'adapter \(1 .*queue \(1 '),
        (lambda stored: changed(stored, {'heads.identity.projection': VECTOR}), r'heads\.identity \(1 weight\)'),
    ],
    ids=['encoders alone', 'module', 'norms that do not count', 'queue and what nobody knows', 'other classes'],
)
def test_encoders_are_enough_and_alone_make_the_fingerprint(encoder, model_files, tmp_path, change, unused):
    torch.save(change(torch.load(model_files[1], weights_only=True)), tmp_path / 'other.pth')
    with pytest.warns(UserWarning, match=f'Not used of .*{unused}') if unused else nullcontext():
        other = ModelEncoder(model_files[0], tmp_path / 'other.pth')
    assert other.fingerprint == encoder.fingerprint
    assert torch.equal(other.encode_texts(SENTENCES), encoder.encode_texts(SENTENCES))


def test_what_the_config_says_for_training_alone_does_not_count(encoder, model_files):
    config = Config.fromfile(model_files[0])
    config.model.image_stream.backbone.init_cfg = dict(type='Pretrained', checkpoint='nowhere.pth')
    config.model.update(
        type='CMMoCoRetriever',
        heads=dict(contrastive=dict(type='ContrastiveHead')),
        queue=dict(size=4, dim=16),
        momentum=0.9,
    )
    assert ModelEncoder(config, model_files[1]).fingerprint == encoder.fingerprint


@MODELS.register_module()
class DoublingRetriever(DualStreamRetriever):
    def encode_image(self, images):
        return 2 * super().encode_image(images)


def test_the_whole_config_of_a_class_that_encodes_otherwise_counts(encoder, model_files):
    config = Config.fromfile(model_files[0])
    config.model.type = 'DoublingRetriever'
    first = ModelEncoder(config, model_files[1]).fingerprint
    assert encoder.fingerprint.differences(first) == ['model']
    config.model.heads = dict(alignment=dict(type='AlignmentHead'))
    assert first.differences(ModelEncoder(config, model_files[1]).fingerprint) == ['model']


@pytest.mark.parametrize('texts', [[], ['a man', '  '], ['...']])
def test_a_sentence_of_nothing_is_refused(encoder, texts):
    with pytest.raises(ValueError, match=r'empty|no word'):
        encoder.encode_texts(texts)


def test_weights_of_another_model_are_refused(model_files, tmp_path):
    config, checkpoint = model_files
    stored = torch.load(checkpoint, weights_only=True)
    stored['state_dict'].pop('image_projection.linear.weight')
    torch.save(stored, tmp_path / 'other.pth')
    with pytest.raises(
        ValueError, match=r'other.pth does not fit .*: it lacks image_projection\.linear\.weight\. Take'
    ):
        ModelEncoder(config, tmp_path / 'other.pth')
    stored['state_dict']['image_projection.linear.weight'] = torch.zeros(3, 3)
    torch.save(stored, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth does not fit .*: size mismatch for image_projection\.linear'):
        ModelEncoder(config, tmp_path / 'other.pth')


def test_features_that_are_not_finite_are_refused(encoder):
    with pytest.raises(ValueError, match='image features'):
        encoder.encode_batch(torch.full((1, 3, 32, 32), np.inf))
