"""Names of the public code to ours and back."""

import re

import pytest
import torch
from reference_vectors import FOLDER
from tiny_retriever import cm_moco_config

from mmtbps.converters.textreid import mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.registry import MODELS


@pytest.fixture(scope='module')
def public():
    return torch.load(FOLDER / 'traj_fc.pth', weights_only=True)['init']


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


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
