"""Weights of one data set for a model of another: what is matched by word, made anew, kept and refused."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_retriever import NUM_CLASSES, VOCAB_SIZE, cm_moco_config
from torch import nn

from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.engine import adapt_weights
from mmtbps.models import WordEmbedding, WordTable
from mmtbps.registry import MODELS

SPECIALS = ['<pad>', '<unk>']
OLD = dict(
    dataset='Old',
    vocabulary=[*SPECIALS, *(f'w{i}' for i in range(VOCAB_SIZE - 2))],
    person_ids=list(range(NUM_CLASSES)),
)
# As many words and persons, so that every shape fits: the case that would be mixed up silently.
NEW = dict(OLD, dataset='New', vocabulary=[*SPECIALS, 'fresh', *reversed(OLD['vocabulary'][3:])])


def build(seed):
    torch.manual_seed(seed)
    model = MODELS.build(cm_moco_config())
    model.init_weights()
    return model


@pytest.fixture
def trained():
    """Weights in which keys differ from queries, as after training."""
    model = build(0)
    for weight in model.key_encoders.parameters():
        weight.data.add_(0.1)
    model.queue.person_ids.fill_(3)
    return model.state_dict()


def test_words_are_matched_in_queries_and_keys_and_identities_start_anew(trained):
    model = build(1)
    fresh = copy.deepcopy(model.state_dict())
    weights = {name: value.clone() for name, value in trained.items()}
    lines = adapt_weights(model, weights, OLD, NEW)
    assert lines == [
        'Fine-tuning on New from weights of Old.',
        f'Words: {VOCAB_SIZE - 3} carried over, 1 new, 1 dropped.',
        f'Not taken from the checkpoint but started anew: heads.identity ({NUM_CLASSES} classes), queue.',
    ]
    for name in ('text_stream.backbone.table.weight', 'key_encoders.text_stream.backbone.table.weight'):
        for row, word in enumerate(NEW['vocabulary']):
            expected = fresh[name][row] if word == 'fresh' else trained[name][OLD['vocabulary'].index(word)]
            assert torch.equal(weights[name][row], expected)
    anew = {name for name in weights if name.startswith(('queue.', 'heads.identity.'))}
    assert anew >= {'queue.image', 'queue.person_ids', 'heads.identity.projection'}
    for name in anew:
        assert torch.equal(weights[name], fresh[name])
    for name in set(trained) - anew - {name for name in trained if name.endswith('table.weight')}:
        assert torch.equal(weights[name], trained[name])
    model.load_state_dict(weights)


def test_the_same_data_keep_everything(trained):
    weights = {name: value.clone() for name, value in trained.items()}
    assert adapt_weights(build(1), weights, OLD, OLD) == []
    assert all(torch.equal(weights[name], trained[name]) for name in trained)


@pytest.mark.parametrize('change', [dict(dataset='New'), dict(person_ids=list(range(1, NUM_CLASSES + 1)))])
def test_identities_of_other_data_start_anew_also_with_the_same_words(trained, change):
    lines = adapt_weights(build(1), trained, OLD, dict(OLD, **change))
    assert lines[1:] == [
        f'Words: {VOCAB_SIZE - 2} carried over, 0 new, 0 dropped.',
        f'Not taken from the checkpoint but started anew: heads.identity ({NUM_CLASSES} classes), queue.',
    ]


def test_a_baseline_without_keys_and_queue_starts_momentum_contrast(trained):
    weights = {name: value for name, value in trained.items() if not name.startswith(('key_encoders.', 'queue.'))}
    lines = adapt_weights(build(1), weights, OLD, NEW)
    assert lines[-1].endswith(f'anew: heads.identity ({NUM_CLASSES} classes).')
    assert not any(name.startswith(('key_encoders.', 'queue.')) for name in weights)


def test_rows_without_words_are_refused(trained):
    with pytest.raises(ValueError, match=r"text_stream\.backbone\.table\.weight.*'dataset_meta'.*'vocabulary'"):
        adapt_weights(build(1), trained, {}, NEW)


def test_a_table_that_cannot_be_matched_by_word_is_refused():
    model = nn.ModuleDict({'words': nn.Embedding(VOCAB_SIZE, 3), 'places': nn.Embedding(VOCAB_SIZE + 1, 3)})
    weights = model.state_dict()
    with pytest.raises(ValueError, match=r'words\.weight of the checkpoint .* inherit WordEmbedding'):
        adapt_weights(model, weights, OLD, NEW)
    assert adapt_weights(model, weights, OLD, OLD) == []


def test_weights_of_another_library_pass():
    weights = {'backbone.conv.weight': torch.ones(1)}
    assert adapt_weights(build(1), weights, {}, NEW) == ['Fine-tuning on New from weights of unknown data.']
    assert list(weights) == ['backbone.conv.weight']


def test_vectors_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r'shape \(3, 5\) for 3 words, the model.s has \(2, 4\) for 2'):
        WordEmbedding(2, 4).carry_over(torch.ones(3, 5), [*SPECIALS, 'a'], SPECIALS)


words = st.lists(st.sampled_from('abcdefgh'), unique=True)


@given(words, words)
def test_rows_follow_their_words(before, now):
    before, now = [*SPECIALS, *before], [*SPECIALS, *now]
    rows, layer = torch.randn(len(before), 3), WordEmbedding(len(now), 3)
    expected = {**dict(zip(now, layer.table.weight.detach(), strict=True)), **dict(zip(before, rows, strict=True))}
    assert torch.equal(layer.carry_over(rows, before, now), torch.stack([expected[word] for word in now]))


def table_of(tmp_path, vectors, vocabulary, frozen=True):
    path = tmp_path / f'{len(list(tmp_path.iterdir()))}.npz'
    WordVectors(list(vectors), torch.tensor(list(vectors.values()))).save(path)
    layer = WordTable(len(vocabulary), str(path), embed_dims=2, frozen=frozen)
    layer.set_words(vocabulary)
    return layer


VECTORS = {'red': [1.0, 0.0], 'hat': [0.0, 1.0], 'bag': [-1.0, 1.0], 'sun': [-1.0, -1.0]}
BEFORE, NOW = [*SPECIALS, 'red', 'hat', 'bag'], [*SPECIALS, 'bag', 'hat', 'sun', 'sky']


def of(*words):
    return {word: VECTORS[word] for word in words}


def test_frozen_vectors_of_one_encoder_come_together(tmp_path):
    """Neither table has all words; 'hat' is in the second alone, 'bag' in the first alone, 'sky' in none."""
    old = table_of(tmp_path, of('red', 'bag'), BEFORE).table.weight
    rows = table_of(tmp_path, of('hat', 'sun'), NOW).carry_over(old, BEFORE, NOW)
    unknown = old[1].tolist()
    assert rows.tolist() == [[0, 0], unknown, VECTORS['bag'], VECTORS['hat'], VECTORS['sun'], unknown]


def test_frozen_vectors_of_another_encoder_are_refused(tmp_path):
    old = table_of(tmp_path, of('red', 'hat', 'bag'), BEFORE).table.weight + 0.1
    new = table_of(tmp_path, VECTORS, NOW)
    with pytest.raises(ValueError, match=r'2 of 3 frozen words have other vectors .*another encoder.*frozen=False'):
        new.carry_over(old, BEFORE, NOW)
    trainable = table_of(tmp_path, VECTORS, NOW, frozen=False)
    assert torch.equal(trainable.carry_over(old, BEFORE, NOW)[2], old[4])
