"""Which weights fit which model, and what is said of those that do not."""

import copy
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import init_default_scope
from tiny_retriever import CONTRASTIVE_NECK, cm_moco_config, dual_stream_config
from torch import nn

from mmtbps.models import encoders_of, fit_weights
from mmtbps.models.fitting import part_of
from mmtbps.registry import MODELS

USES = ('inference', 'start', 'resume')


def build(config, seed=0):
    init_default_scope('mmtbps')
    torch.manual_seed(seed)
    model = MODELS.build(config)
    model.init_weights()
    return model


@pytest.fixture(scope='module')
def baseline():
    return build(dual_stream_config()).state_dict()


@pytest.fixture(scope='module')
def momentum():
    """Weights in which keys differ from queries, as after training."""
    model = build(cm_moco_config())
    for weight in model.key_encoders.parameters():
        weight.data.add_(0.1)
    return model.state_dict()


def only(weights, *parts):
    return {name: value for name, value in weights.items() if name.startswith(parts)}


def without(weights, *parts):
    return {name: value for name, value in weights.items() if not name.startswith(parts)}


ENCODERS = ('image_stream', 'text_stream', 'image_projection', 'text_projection')


@pytest.mark.parametrize('use', USES)
def test_own_weights_fit_for_every_use_and_all_are_loaded(momentum, use):
    model = build(cm_moco_config(), seed=1)
    assert fit_weights(model, dict(state_dict=momentum, meta={}), use) == []
    for name, value in model.state_dict().items():
        assert torch.equal(value, momentum[name]), name


wrappers = st.sampled_from(['state_dict', 'model', 'model_state_dict', 'module', 'model_ema', 'ema_state_dict'])


@given(st.lists(wrappers, max_size=3), st.lists(st.sampled_from(['module.', '_orig_mod.']), max_size=3))
def test_wrappers_and_prefixes_make_no_difference(keys, prefixes):
    source, model = nn.Linear(2, 3), nn.Linear(2, 3)
    checkpoint = {''.join(prefixes) + name: value for name, value in source.state_dict().items()}
    for key in keys:
        checkpoint = {key: checkpoint, 'epoch': 3, 'optimizer': {'state': {}}, 'meta': {'words': ['a']}}
    assert fit_weights(model, checkpoint, 'resume') == []
    assert torch.equal(model.weight, source.weight)


@pytest.mark.parametrize('use', ['inference', 'start'])
def test_encoders_alone_are_enough_but_not_to_resume(momentum, use):
    model = build(cm_moco_config(), seed=1)
    fresh = copy.deepcopy(model.state_dict())
    lines = fit_weights(model, only(momentum, *ENCODERS), use, 'a.pth')
    anew = 'Not in a.pth and so as initialised: heads.identity (1 weight), queue (5 weights).'
    assert lines == ([anew] if use == 'start' else [])
    for name, value in model.state_dict().items():
        query = name.removeprefix('key_encoders.')  # keys start as copies
        assert torch.equal(value, momentum[query] if query.startswith(ENCODERS) else fresh[name]), name
    with pytest.raises(ValueError, match=r'a\.pth does not fit CMMoCoRetriever: it lacks heads.identity.*load_from='):
        fit_weights(model, only(momentum, *ENCODERS), 'resume', 'a.pth')


@pytest.mark.parametrize('name', ENCODERS)
@pytest.mark.parametrize('use', USES)
def test_every_encoder_must_be_there_and_the_first_few_lacks_are_listed(baseline, use, name):
    lacking = without(baseline, name)
    names = sorted(set(baseline) - set(lacking) - {n for n in baseline if n.endswith('num_batches_tracked')})
    listed = ', '.join(names[:3]) + (f', ... ({len(names)} in all)' if len(names) > 3 else '')
    with pytest.raises(ValueError, match=re.escape(f'a.pth does not fit DualStreamRetriever: it lacks {listed}.')):
        fit_weights(build(dual_stream_config()), lacking, use, 'a.pth')


@pytest.mark.parametrize('use', USES)
def test_all_that_is_wrong_is_told_at_once(baseline, use):
    weights = without(baseline, 'text_projection.linear.bias')
    weights['image_projection.linear.weight'] = torch.ones(2, 2)
    weights['text_stream.neck.gate'] = torch.ones(2)
    pattern = (
        r'lacks text_projection\.linear\.bias; it has text_stream\.neck\.gate too many; '
        r'size mismatch for image_projection\.linear\.weight: .*\[2, 2\].*\[16, 24\]'
    )
    with pytest.raises(ValueError, match=pattern):
        fit_weights(build(dual_stream_config()), weights, use)


@pytest.mark.parametrize('use', USES)
def test_weights_of_another_code_base_are_refused(use):
    foreign = {'model': {'base_model.visual.conv1.weight': torch.zeros(4, 3, 2, 2)}, 'epoch': 60}
    with pytest.raises(ValueError, match=r'lacks .* in all\).*base_model'):
        fit_weights(build(dual_stream_config()), foreign, use)


def test_norms_that_did_not_count_their_batches_fit(baseline):
    weights = {name: value for name, value in baseline.items() if not name.endswith('num_batches_tracked')}
    assert len(weights) < len(baseline)
    assert all(fit_weights(build(dual_stream_config(), 1), weights, use) == [] for use in USES)


def test_momentum_contrast_starts_from_a_baseline_and_the_other_way_round(baseline, momentum):
    model = build(cm_moco_config(), seed=1)
    model.queue.person_ids.fill_(3)
    assert fit_weights(model, baseline, 'start', 'a.pth') == ['Not in a.pth and so as initialised: queue (5 weights).']
    state = model.state_dict()
    for name, value in baseline.items():
        assert torch.equal(state[name], value)
        assert torch.equal(state.get(f'key_encoders.{name}', value), value)
    plain = build(dual_stream_config(), seed=1)
    assert fit_weights(plain, momentum, 'start', 'b.pth') == [
        f'Not used of b.pth: key_encoders ({len(only(momentum, "key_encoders"))} weights), queue (5 weights).'
    ]
    assert all(torch.equal(value, momentum[name]) for name, value in plain.state_dict().items())


def test_momentum_contrast_with_and_without_a_neck_of_its_own(momentum):
    necks = build(cm_moco_config(contrastive_neck=CONTRASTIVE_NECK))
    (line,) = fit_weights(necks, momentum, 'start')
    assert re.findall(r'[\w.]*contrastive_neck[\w.]*', line) == [
        'contrastive_neck.image', 'contrastive_neck.text',
        'key_encoders.contrastive_neck.image', 'key_encoders.contrastive_neck.text',
    ]  # fmt: skip
    (line,) = fit_weights(build(cm_moco_config()), necks.state_dict(), 'start')
    assert line.startswith('Not used of The checkpoint: contrastive_neck.image (')


@pytest.mark.parametrize('change', ['other shape', 'lack', 'surplus'])
def test_a_part_that_both_have_must_fit_when_a_training_starts_but_no_other_use_needs_it(baseline, change):
    weights = dict(baseline)
    if change == 'other shape':
        weights['heads.identity.projection'] = torch.ones(2, 2)
    elif change == 'lack':
        weights['heads.identity.bias'] = weights.pop('heads.identity.projection')
    else:
        weights['heads.identity.bias'] = torch.ones(2)
    model = build(dual_stream_config(), seed=1)
    fresh = model.heads['identity'].projection.clone()
    with pytest.raises(ValueError, match=r'heads\.identity\.'):
        fit_weights(copy.deepcopy(model), weights, 'start')
    (line,) = fit_weights(model, weights, 'inference')
    assert line.startswith('Not used of The checkpoint: heads.identity (')
    assert torch.equal(model.heads['identity'].projection, fresh)
    ignored = fit_weights(model, weights, 'start', ignore=['heads.identity.*'])
    assert ignored[0].startswith('Not taken from The checkpoint, as ignore says: heads.identity.')


def test_what_is_ignored_may_lack_differ_or_be_too_many_and_is_told(baseline):
    weights = without(baseline, 'image_projection')
    weights['text_projection.linear.weight'] = torch.ones(2, 2)
    weights['text_stream.extra'] = torch.ones(2)
    model = build(dual_stream_config(), seed=1)
    fresh = copy.deepcopy(model.state_dict())
    patterns = ['image_projection.*', '*_projection.linear.weight', 'text_stream.extra']
    assert fit_weights(model, weights, 'start', 'a.pth', patterns) == [
        'Not taken from a.pth, as ignore says: image_projection.linear.bias, image_projection.linear.weight, '
        'text_projection.linear.weight, ... (4 in all).'
    ]
    for name, value in model.state_dict().items():
        kept = name in (
            'image_projection.linear.bias',
            'image_projection.linear.weight',
            'text_projection.linear.weight',
        )
        assert torch.equal(value, (fresh if kept else weights)[name])


def test_a_pattern_that_matches_nothing_is_an_error(baseline):
    with pytest.raises(ValueError, match=r"ignore=\['image_projektion\.\*'\] matches no name"):
        fit_weights(build(dual_stream_config()), baseline, 'start', ignore=['heads.*', 'image_projektion.*'])


def test_weights_are_adapted_without_what_is_ignored(baseline):
    def adapt(weights):
        assert 'image_projection.linear.weight' not in weights
        weights['text_projection.linear.bias'] = torch.full((16,), 5.0)
        return ['Adapted.']

    model = build(dual_stream_config())
    lines = fit_weights(model, baseline, 'start', 'a.pth', ['image_projection.*'], adapt)
    assert lines[0] == 'Adapted.'
    assert (model.text_projection.linear.bias == 5).all()


def grid_config(size):
    config = dual_stream_config()
    config['image_stream']['backbone']['input_size'] = size
    return config


def test_positions_are_resized_for_a_new_training_alone():
    weights = build(grid_config((96, 32))).state_dict()
    model = build(grid_config((48, 64)), seed=1)  # 3 x 4 are as many places as 6 x 2
    (line,) = fit_weights(copy.deepcopy(model), weights, 'start')
    assert line == 'Resized positions of image_stream.backbone.attnpool from 6 x 2 to 3 x 4.'
    for use in ('inference', 'resume'):
        with pytest.raises(ValueError, match=f'{use} needs the input_size of the training.*from 6 x 2 to 3 x 4'):
            fit_weights(model, weights, use)
    moment = build(dict(cm_moco_config(), image_stream=grid_config((48, 64))['image_stream']), seed=1)
    fit_weights(moment, weights, 'start')
    positions = 'image_stream.backbone.attnpool.positional_embedding'
    state = moment.state_dict()
    assert torch.equal(state[positions], state[f'key_encoders.{positions}'])
    assert not torch.equal(state[positions], weights[positions])


def test_positions_of_an_unknown_grid_are_refused():
    weights = build(grid_config((96, 32))).state_dict()
    del weights['image_stream.backbone.attnpool.positional_grid']
    for use in USES:
        with pytest.raises(ValueError, match=r'has 13 rows, which is not one plus a square grid') as caught:
            fit_weights(build(grid_config((64, 32))), weights, use)
        assert str(caught.value).count('13 rows') == 1


def test_of_a_model_without_encoders_everything_counts():
    model = nn.Module()
    model.part, model.scale = nn.Linear(2, 2), nn.Parameter(torch.ones(()))
    assert encoders_of(model) == ('part', 'scale')
    with pytest.raises(ValueError, match='lacks scale'):
        fit_weights(model, without(model.state_dict(), 'scale'))


def test_parts():
    model = build(cm_moco_config())
    for name, part in (
        ('image_stream.backbone.conv1.weight', 'image_stream'),
        ('heads.identity.projection', 'heads.identity'),
        ('heads.nobody.weight', 'heads.nobody'),
        ('key_encoders.text_stream.neck.gru.weight_hh_l0', 'key_encoders.text_stream'),
        ('queue.image', 'queue'),
        ('base_model.visual.proj', 'base_model'),
    ):
        assert part_of(model, name) == part


def test_the_model_inside_a_wrapper_is_meant(baseline):
    model = build(dual_stream_config(), seed=1)
    fit_weights(nn.DataParallel(model), baseline)  # which moves it to a GPU, if there is one
    assert torch.equal(model.image_projection.linear.weight.cpu(), baseline['image_projection.linear.weight'])
