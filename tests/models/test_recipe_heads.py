"""Heads of IRRA, RDE and TBPS-CLIP: what they read, their edges, and the passes that a retriever makes for them."""

from types import SimpleNamespace

import pytest
import torch
from tiny_recipes import PARTS, VOCAB, part_of, recipe_batch, recipe_config

from mmtbps.datasets import IGNORED
from mmtbps.models import losses
from mmtbps.models.retrievers.chunks import in_chunks
from mmtbps.models.structures import PairEmbeddings, TokenFeatures
from mmtbps.registry import MODELS


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build(recipe_config(**changes)).double().train()
    model.init_weights()
    return model


def make_pairs(size=6, dim=20):
    image, text = torch.randn(2, size, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return PairEmbeddings(
        image=image, text=text, person_ids=torch.arange(size) // 2, indices=torch.arange(size) + 3
    )  # fmt: skip


def test_heads_equal_the_pure_functions():
    pairs = make_pairs()
    ids, places = pairs.person_ids, torch.arange(6)
    rows = losses.identity_aware_info_nce
    pair = rows(pairs.image, pairs.text, places, places) + rows(pairs.text, pairs.image, places, places)
    expected = {
        MODELS.build(dict(type='ITCHead', positives='pair')): pair,
        MODELS.build(dict(type='TALHead')): losses.tal_loss(pairs.image, pairs.text, ids),
        **{
            MODELS.build(dict(type='TALHead', part=part)): losses.tal_loss(
                pairs.image[:, slice(*part)], pairs.text[:, slice(*part)], ids
            )
            for part in PARTS.values()
        },
        MODELS.build(dict(type='CITCHead')): losses.citc_loss(pairs.image, pairs.text),
        MODELS.build(dict(type='SDMHead', epsilon=0.01, temperature=0.01, loss_weight=0.5)): losses.ritc_loss(
            pairs.image, pairs.text, ids
        ),
    }
    for head, value in expected.items():
        torch.testing.assert_close(head.double().loss(pairs), {'loss': value}, rtol=1e-6, atol=0)


def test_weights_of_pairs_are_found_by_their_place_in_the_data_set():
    pairs = make_pairs()
    head = MODELS.build(dict(type='TALHead'))
    weights = torch.rand(20, dtype=torch.float64)
    head.pair_weights = weights
    expected = losses.tal_loss(pairs.image, pairs.text, pairs.person_ids, weights=weights[3:9])
    torch.testing.assert_close(head.loss(pairs)['loss'], expected)
    assert not head.state_dict()


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='ITCHead', positives='person'), "positives must be 'identity' or 'pair'"),
        (dict(type='TALHead', part=(8, 8)), 'part must be the first number'),
        (dict(type='TALHead', tau=0.0), 'tau'),
        (dict(type='SelfSupervisionHead', views=('one',)), 'views must be two names'),
        (dict(type='LinearClassifierHead', num_classes=None), 'num_classes is None'),
        (dict(type='MaskedWordHead'), 'vocab_size is None'),
        (dict(type='NITCHead', soft_share=1.5), 'soft_share'),
    ],
)
def test_settings_that_make_no_sense(config, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)


def test_the_starts_of_the_classifiers_are_those_of_the_public_code():
    identity = MODELS.build(dict(type='LinearClassifierHead', num_classes=300))
    words = MODELS.build(dict(type='MaskedWordHead', vocab_size=900))
    deviations = {
        identity.classifier.weight: 0.001,
        words.cross_attn.in_proj_weight: 512**-0.5,
        words.cross_attn.out_proj.weight: 512**-0.5 * 8**-0.5,
        words.cross_modal_transformer.resblocks[3].attn.in_proj_weight: 512**-0.5,
        words.cross_modal_transformer.resblocks[0].mlp.c_fc.weight: 1024**-0.5,
        words.cross_modal_transformer.resblocks[0].mlp.c_proj.weight: 512**-0.5 * 8**-0.5,
        words.mlm_head.dense.weight: 1024**-0.5,
        words.mlm_head.fc.weight: 512**-0.5 * 8**-0.5,
    }
    for weight, deviation in deviations.items():
        assert weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert not identity.classifier.bias.any()


# ---------------------------------------------------------------------------------------------------------------------
# Masked words


def token_features(size, length, dim=8, lengths=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(size, length, dim, generator=generator, dtype=torch.float64)
    lengths = torch.full((size,), length) if lengths is None else torch.tensor(lengths)
    mask = torch.arange(length) < lengths[:, None]
    return TokenFeatures(pooled=tokens[:, 0], tokens=tokens, mask=mask)


def words_head(**changes):
    torch.manual_seed(0)
    return MODELS.build(dict(type='MaskedWordHead', vocab_size=VOCAB, width=8, depth=2, heads=2, **changes)).double()


def test_a_caption_does_not_depend_on_its_neighbours_or_padding():
    head, lengths = words_head(), [2, 3, 7]
    text, image = token_features(3, 7, lengths=lengths), token_features(3, 5, seed=1)
    together = head.encode(text, image)
    for row, length in enumerate(lengths):
        own = TokenFeatures(
            pooled=text.pooled[row : row + 1],
            tokens=text.tokens[row : row + 1, :length],
            mask=text.mask[row : row + 1, :length],
        )
        seen = TokenFeatures(pooled=image.pooled[row : row + 1], tokens=image.tokens[row : row + 1],
                             mask=image.mask[row : row + 1])  # fmt: skip
        alone = head.encode(own, seen)[0]
        torch.testing.assert_close(together[row, :length], alone, rtol=0, atol=1e-12)


def test_with_legacy_padding_words_see_it():
    head, legacy = words_head(), words_head(legacy_padding=True)
    text, image = token_features(2, 6, lengths=[3, 6]), token_features(2, 5, seed=1)
    found, expected = legacy.encode(text, image), head.encode(text, image)
    torch.testing.assert_close(found[1], expected[1])
    assert not torch.allclose(found[0, :3], expected[0, :3])


@pytest.mark.parametrize('padding', [0, 4])
def test_only_labelled_words_count(padding):
    """Also where the labels are padded further than the words."""
    head = words_head()
    text, image = token_features(2, 5, lengths=[3, 5]), token_features(2, 4, seed=1)
    labels = torch.full((2, 5 + padding), IGNORED)
    labels[0, 1], labels[1, 2], labels[1, 3] = 7, 8, 9
    view = SimpleNamespace(tokens=text, labels=labels)
    pairs = SimpleNamespace(views=SimpleNamespace(masked=view), tokens=SimpleNamespace(image=image))
    logits = head.mlm_head(head.encode(text, image))
    expected = losses.masked_word_loss(torch.stack([logits[0, 1], logits[1, 2], logits[1, 3]]), torch.tensor([7, 8, 9]))
    torch.testing.assert_close(head.loss(pairs)['loss'], expected)

    view.labels = torch.full_like(labels, IGNORED)
    head.loss(pairs)['loss'].backward()
    assert head.loss(pairs)['loss'] == 0
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in head.parameters())


def test_the_caption_itself_may_be_the_masked_one():
    batch = recipe_batch(4)
    view = batch['inputs']['views']['masked']
    head = dict(type='MaskedWordHead', vocab_size=VOCAB, width=8, depth=1, heads=2)
    separate = build(temperatures=None, heads=dict(contrastive=dict(type='ContrastiveHead'), words=head))
    expected = separate.loss(**batch)['words.loss']
    heads = dict(contrastive=dict(type='ContrastiveHead'), words=dict(head, caption_is_masked=True))
    in_place = build(temperatures=None, heads=heads)
    batch['inputs'].update(tokens=view['tokens'], views=dict(masked=dict(labels=view['labels'])))
    torch.testing.assert_close(in_place.loss(**batch)['words.loss'], expected)


# ---------------------------------------------------------------------------------------------------------------------
# A retriever with all heads


def test_a_part_beyond_the_embeddings_is_named():
    head = MODELS.build(dict(type='TALHead', part=(4, 40)))
    with pytest.raises(ValueError, match=r'part=\(4, 40\) is beyond the embeddings, which have 20 numbers'):
        head.loss(make_pairs())


def test_views_that_the_pipeline_does_not_add_are_named():
    batch = recipe_batch(4)
    model = build()
    view = batch['inputs']['views'].pop('second')
    with pytest.raises(AttributeError, match=r"has no 'second', only .* The pipeline of the training set has"):
        model.loss(**batch)
    batch['inputs']['views'].update(second=view, masked=dict(labels=batch['inputs']['views']['masked']['labels']))
    with pytest.raises(AttributeError, match=r"has no 'tokens', .* as after MaskTokens\(in_place=True\)"):
        model.loss(**batch)


def test_an_answer_in_sight_is_refused():
    heads = dict(recipe_config()['heads'])
    heads['words'] = dict(heads['words'], caption_is_masked=True)
    with pytest.raises(ValueError, match=r'the answer would be in sight\. Set MaskTokens\(in_place=True\)'):
        build(heads=heads).loss(**recipe_batch(4))


def test_losses_may_be_called_any_number_of_times_and_in_any_mode():
    model, batch = build(), recipe_batch(8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = model.loss(**batch)
    assert all(value.isfinite() for value in first.values())
    torch.testing.assert_close(model.loss(**batch), first)
    model.eval()
    model.loss(**batch)
    model.queue.discard()
    torch.testing.assert_close(dict(model.state_dict()), before)


@pytest.mark.parametrize('size', [1, 2])
def test_captions_of_no_and_of_few_words_leave_their_neighbours_alone(size):
    """Embeddings of the first captions are the same whatever comes behind."""
    model, batch = build(), recipe_batch(6)
    lengths = batch['inputs']['lengths']
    lengths[:] = torch.tensor([2, 3, 4, 5, 10, 9])
    tokens = batch['inputs']['tokens']
    tokens[:] = tokens.clamp(1, VOCAB - 2)
    tokens[torch.arange(6), lengths - 1] = VOCAB - 1
    tokens[torch.arange(tokens.shape[1]) >= lengths[:, None]] = 0
    found = model.pairs_of(**batch)
    alone = model.pairs_of(**part_of(batch, slice(0, size)))
    model.queue.discard()
    torch.testing.assert_close(found.text[:size], alone.text)
    losses_of_all = model.loss(**batch)
    sum(losses_of_all.values()).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def test_the_teacher_is_the_first_pass_unless_something_is_drawn():
    model, batch = build(), recipe_batch(8)
    passes = []
    model.text_stream.register_forward_hook(lambda *_: passes.append('text'))
    model.image_stream.register_forward_hook(lambda *_: passes.append('image'))
    pairs = model.pairs_of(**batch)
    assert (passes.count('image'), passes.count('text')) == (4, 2)  # image and three views; caption and masked one
    assert torch.equal(pairs.teacher.text, pairs.text)
    assert torch.equal(pairs.views.second.teacher, pairs.views.second.image)
    assert not pairs.teacher.text.requires_grad

    for block in model.text_stream.backbone.transformer.resblocks:
        block.attn.dropout = 0.5
    passes.clear()
    pairs = model.pairs_of(**batch)
    assert (passes.count('image'), passes.count('text')) == (4, 3)
    assert not torch.equal(pairs.teacher.text, pairs.text)
    assert torch.equal(pairs.teacher.image, pairs.image)
    assert not pairs.teacher.text.requires_grad


def test_views_that_nobody_needs_are_not_embedded():
    heads = dict(contrastive=dict(type='ContrastiveHead'), sdm=dict(type='SDMHead'))
    model = build(heads=heads, temperatures=None)
    pairs = model.pairs_of(**recipe_batch(4))
    assert 'views' not in pairs
    assert 'teacher' not in pairs


# ---------------------------------------------------------------------------------------------------------------------
# Chunks of a large batch


@pytest.mark.parametrize('chunk_size', [1, 3, 8, 50])
def test_chunks_give_the_losses_and_gradients_of_the_whole_batch(chunk_size):
    batch, results = recipe_batch(8), []
    for size in (None, chunk_size):
        model = build(chunk_size=size)
        found = model.loss(**batch)
        sum(found.values()).backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        results.append((found, gradients))
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-12)


def test_what_is_drawn_in_a_chunk_is_drawn_again_in_the_backward_pass():
    torch.manual_seed(0)
    weight = torch.ones(6, requires_grad=True)
    drawn = []

    def stream(values):
        mask = torch.rand(values.shape)
        drawn.append(mask)
        return values * mask * weight

    values = torch.ones(4, 6)
    in_chunks(stream, 2, values).sum().backward()
    assert len(drawn) == 4  # two chunks, twice
    torch.testing.assert_close(weight.grad, torch.cat(drawn[:2]).sum(dim=0))


def test_batch_norm_does_not_go_in_chunks():
    neck = dict(type='TokenSelection', in_channels=8, out_channels=12)
    config = recipe_config(chunk_size=2)
    config['image_stream']['neck'] = neck
    with pytest.raises(ValueError, match=r'chunk_size: image_stream\.neck\.mlp\.bns\.0 is a batch norm'):
        MODELS.build(config)


def test_norms_that_stay_in_evaluation_mode():
    neck = MODELS.build(dict(type='TokenSelection', in_channels=8, out_channels=12, norm_eval=True)).train()
    assert neck.training
    assert not neck.mlp.bns[0].training
    assert neck.mlp.layers.training
