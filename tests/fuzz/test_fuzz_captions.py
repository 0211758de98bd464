"""Sentences, words and queries of all kinds."""

import pytest
import torch
from fuzzing import JSON, REFUSED, TEXTS, attempt, fuzz
from hypothesis import strategies as st
from tiny_search import WORDS, PixelEncoder, draw_crops

from mmtbps.datasets import CLIPTokenizer, WordTokenizer
from mmtbps.search import ModelEncoder, Searcher


@fuzz(200, captions=st.lists(TEXTS, max_size=5), text=TEXTS, most=st.integers(1, 6), least=st.integers(1, 3))
def test_words_of_any_text(captions, text, most, least):
    tokenizer = WordTokenizer(min_count=least, max_length=most)
    tokenizer.fit(captions)
    words = tokenizer.vocabulary
    assert words[:2] == ['<pad>', '<unk>']
    ids = tokenizer.encode(text)
    assert 1 <= len(ids) <= most
    assert all(1 <= number < tokenizer.vocab_size for number in ids)
    told = [words[number] if number > 1 else None for number in ids]
    assert all(word in (None, own) for word, own in zip(told, tokenizer.tokenize(text), strict=False))
    again = WordTokenizer(max_length=most, vocabulary=words)
    assert again.encode(text) == ids


@fuzz(150, text=TEXTS, length=st.integers(2, 90))
def test_clip_tokens_of_any_text(text, length):
    tokenizer = CLIPTokenizer(length)
    ids = tokenizer.encode(text)
    assert 2 <= len(ids) <= length
    assert (ids[0], ids[-1]) == (49406, 49407)
    assert all(0 <= number < tokenizer.vocab_size for number in ids)


@fuzz(150, words=st.one_of(JSON, st.lists(JSON, max_size=4).map(lambda words: ['<pad>', '<unk>', *words])))
def test_vocabularies(words):
    tokenizer = WordTokenizer()
    if attempt(lambda: tokenizer.set_vocabulary(words), 'vocabulary') is not REFUSED:
        assert tokenizer.vocabulary == words
        assert all(isinstance(word, str) for word in words)


@pytest.fixture(scope='module')
def searcher(tmp_path_factory):
    crops = draw_crops(tmp_path_factory.mktemp('queries') / 'crops')
    searcher = Searcher(PixelEncoder())
    searcher.index(crops, num_workers=0, progress=False)
    return searcher


@fuzz(
    200,
    query=st.one_of(TEXTS, st.lists(st.one_of(TEXTS, JSON), max_size=3)),
    topk=st.one_of(st.integers(-2, 14), st.floats(), st.sampled_from([None, True, '3', 2**70])),
    least=st.one_of(st.none(), st.floats(), TEXTS),
    rerank=st.sampled_from([None, 'NeighborJaccard', 'KReciprocal', 'QueryExpansion', 'os.system', '', 'Nobody']),
)
def test_queries(searcher, query, topk, least, rerank):
    found = attempt(
        lambda: searcher.search(query, topk=topk, min_score=least, rerank=rerank),
        'sentence', 'nothing to encode', 'topk', 'min_score', 're-ranker',
    )  # fmt: skip
    if found is REFUSED:
        return
    for results in [found] if isinstance(query, str) else found:
        assert len(results) == topk or least is not None
        assert [result.rank for result in results] == list(range(1, len(results) + 1))
        assert all(least is None or result.cosine >= least for result in results)


@fuzz(60, texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_sentence_has_one_feature_whatever_stands_beside_it(encoder, texts):
    features = attempt(lambda: encoder.encode_texts(texts), 'sentence')
    if features is not REFUSED:
        assert features.isfinite().all()
        alone = torch.cat([encoder.encode_texts([text]) for text in texts])
        assert torch.allclose(features, alone, atol=1e-5)
        for text in texts:
            assert set(encoder.unknown_words(text)).isdisjoint(WORDS)


@pytest.fixture(scope='module')
def encoder(model_files):
    return ModelEncoder(*model_files)
