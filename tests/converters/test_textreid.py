"""Names of the public code to ours and back."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from reference_vectors import FOLDER
from tiny_retriever import cm_moco_config
from torchvision.models import resnet50

import mmtbps
from mmtbps.converters.textreid import mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.registry import MODELS

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
TABLE = 'text_stream.backbone.table.weight'


@pytest.fixture(scope='module')
def public():
    return torch.load(FOLDER / 'traj_fc.pth', weights_only=True)['init']


@pytest.fixture(scope='module')
def baseline(public):
    """The same encoders as the public code's baseline names them: it has no keys, and projections of other names."""
    names = {'embed_model.v_embed': 'embed_model.visual_embed', 'embed_model.t_embed': 'embed_model.textual_embed'}
    kept = ('visual_model.', 'textual_model.', 'embed_model.loss_evaluator.')
    state = {name: value for name, value in public.items() if name.startswith(kept)}
    for name, value in public.items():
        beginning, layer, rest = name.partition('_layer.')
        if layer:
            state[f'{names[beginning]}_layer.{rest}'] = value
    return state


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_baseline_has_the_encoders_of_the_same_contrast(public, baseline):
    ours, contrast = textreid_to_mmtbps(baseline), textreid_to_mmtbps(public)
    assert equal(ours, {name: contrast[name] for name in ours})
    left = {name.split('.')[0] for name in contrast.keys() - ours.keys()}
    assert left == {'key_encoders', 'contrastive_neck', 'queue'}


def test_keys_decide_which_names_the_way_back_writes(public, baseline):
    """A retriever without keys is a baseline there; its twin with keys is momentum contrast."""
    contrast = textreid_to_mmtbps(public)
    assert equal(mmtbps_to_textreid(textreid_to_mmtbps(baseline)), baseline)
    assert equal(mmtbps_to_textreid({name: contrast[name] for name in textreid_to_mmtbps(baseline)}), baseline)
    assert equal(mmtbps_to_textreid(contrast), public)


@pytest.mark.parametrize('keys', [False, True])
def test_learnt_words_go_forth_and_back(keys, public, baseline):
    words = {'textual_model.embed.weight': torch.rand(60, 24)}
    if keys:
        words |= {f'embed_model.t_encoder_{part}.embed.weight': torch.rand(60, 24) for part in 'qk'}
        words['embed_model.t_encoder_q.embed.weight'] = words['textual_model.embed.weight']
    theirs = {**(public if keys else baseline), **words}
    ours = textreid_to_mmtbps(theirs)
    assert torch.equal(ours[TABLE], words['textual_model.embed.weight'])
    assert [name for name in ours if 'table' in name] == [TABLE, f'key_encoders.{TABLE}'][: 1 + keys]
    assert equal(mmtbps_to_textreid(ours, learnt_words=True), theirs)
    # Those of CLIP stand in a file of their own there.
    assert equal(mmtbps_to_textreid(ours), {name: theirs[name] for name in theirs.keys() - words.keys()})


def test_words_cannot_be_learnt_and_kept_apart(baseline):
    with pytest.raises(ValueError, match='leave the word table out'):
        textreid_to_mmtbps({**baseline, 'textual_model.embed.weight': torch.rand(60, 24)}, torch.rand(60, 24))


@pytest.mark.parametrize('leaf', ['dual_stream/dual-stream_r50-bigru', 'cm_moco/cm-moco_r50-bigru'])
def test_imagenet_s_resnet_has_every_weight_of_the_config(leaf):
    """The names are torchvision's, without its classifier, and so are those of MMPretrain."""
    model = Config.fromfile(CONFIGS / f'{leaf}_1xb128-80e_cuhk-pedes.py').model
    with torch.device('meta'):
        theirs = {f'visual_model.{name}': value for name, value in resnet50().state_dict().items() if 'fc.' not in name}
    ours = MODELS.build(dict(model.image_stream.backbone, init_cfg=None, _scope_='mmtbps')).state_dict()
    converted = textreid_to_mmtbps(theirs)
    shapes = {name.removeprefix('image_stream.backbone.'): value.shape for name, value in converted.items()}
    assert shapes == {name: value.shape for name, value in ours.items()}
    assert mmtbps_to_textreid(converted).keys() == theirs.keys()


@pytest.mark.parametrize('name', ['equal', 'mixed', 'fc'])
def test_forth_and_back_is_the_identity(name):
    trajectory = torch.load(FOLDER / f'traj_{name}.pth', weights_only=True)
    for state in (trajectory['init'], trajectory['final']):
        ours = textreid_to_mmtbps(state, trajectory['table'])
        assert equal(mmtbps_to_textreid(ours), state)
        again = textreid_to_mmtbps(mmtbps_to_textreid(ours), trajectory['table'])
        assert equal(again, ours)


def test_module_prefix(public):
    parallel = {f'module.{name}': value for name, value in public.items()}
    assert equal(textreid_to_mmtbps(parallel), textreid_to_mmtbps(public))


def test_a_model_of_ours_survives_the_way_there_and_back():
    state = MODELS.build(
        dict(
            cm_moco_config(),
            heads=dict(
                identity=dict(type='IdentityHead', num_classes=3, in_channels=16),
                contrastive=dict(type='ContrastiveHead'),
            ),
        )
    ).state_dict()
    state = {name: value for name, value in state.items() if not name.endswith('positional_grid')}
    table = state['text_stream.backbone.table.weight']
    assert equal(
        textreid_to_mmtbps(mmtbps_to_textreid(state), table),
        {**state, **dict.fromkeys([name for name in state if name.endswith('table.weight')], table)},
    )


def test_fill_counts_the_written_slots(public):
    ids = public['embed_model.id_queue'].clone()
    ids[0, :7] = torch.arange(7)
    ids[0, 7:] = -1
    state = textreid_to_mmtbps({**public, 'embed_model.id_queue': ids})
    assert state['queue.fill'] == 7
    assert state['queue.person_ids'].shape == (40,)
    assert state['queue.pointer'].shape == ()


def test_unmatched_names_are_listed(public):
    extra = {'embed_model.new.weight': torch.ones(1), 'optimizer': torch.ones(1)}
    with pytest.raises(ValueError, match=r'2 of .* no counterpart: embed_model\.new\.weight, optimizer'):
        textreid_to_mmtbps({**public, **extra})
    ours = textreid_to_mmtbps(public)
    with pytest.raises(ValueError, match=r'1 of .* no counterpart: heads\.itc\.temperature\.raw'):
        mmtbps_to_textreid({**ours, 'heads.itc.temperature.raw': torch.ones(())})


@pytest.mark.parametrize(
    'name',
    [
        'visual_model.layer1.0.conv4.weight',
        'visual_model.fc.weight',
        'textual_model.embed.bias',
        'embed_model.visual_embed_layer.0.weight',
        'textual_model.gru.bias_ih_l0',
        'embed_model.v_encoder_k.unexpected',
        'embed_model.v_encoder_q.unexpected',
        'embed_model.t_embed_layer.weight.weight',
        'embed_model.v_fc_q.1.weight',
        'embed_model.v_queue_2',
        'embed_model.loss_evaluator.projection2',
    ],
)
def test_a_known_beginning_is_not_enough(public, name):
    """Such a weight has no place in the model, which loads non-strictly and would drop it in silence."""
    with pytest.raises(ValueError, match=f'1 of .* no counterpart: {re.escape(name)}'):
        textreid_to_mmtbps({**public, name: torch.ones(1)})


def test_copies_of_the_query_weights_must_agree(public):
    name = 'embed_model.v_encoder_q.conv1.weight'
    with pytest.raises(ValueError, match=f'not those of the query encoder of the same name: {name}'):
        textreid_to_mmtbps({**public, name: public[name] + 1})
    without = {key: value for key, value in public.items() if key != 'visual_model.conv1.weight'}
    with pytest.raises(ValueError, match=name):
        textreid_to_mmtbps(without)
