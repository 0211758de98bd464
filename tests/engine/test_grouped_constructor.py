"""Few parameter groups, the same updates."""

import copy

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from tiny_retriever import CONTRASTIVE_NECK, cm_moco_config, make_batch

from mmtbps.engine.optimizers import GroupedOptimWrapperConstructor
from mmtbps.registry import MODELS

BIAS_RULE = dict(custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0)))
WRAPPER = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-2, weight_decay=4e-2))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MODELS.build(cm_moco_config(contrastive_neck=CONTRASTIVE_NECK))


@pytest.mark.parametrize(
    'rule',
    [
        None,
        BIAS_RULE,
        dict(norm_decay_mult=0.0, bias_lr_mult=3.0),
        dict(custom_keys=dict(image_stream=dict(lr_mult=0.1), text=dict(lr_mult=0.1), bias=dict(decay_mult=0.0))),
    ],
)
def test_same_updates_as_one_group_per_tensor(model, rule):
    trained = []
    for constructor in (DefaultOptimWrapperConstructor, GroupedOptimWrapperConstructor):
        each = copy.deepcopy(model)
        wrapper = constructor(copy.deepcopy(WRAPPER), copy.deepcopy(rule))(each)
        for _ in range(2):
            wrapper.update_params(sum(each.loss(**make_batch(4)).values()))
        trained.append(each.state_dict())
    torch.testing.assert_close(trained[1], trained[0], rtol=1e-6, atol=1e-7)


def test_one_group_per_setting_without_the_frozen(model):
    wrapper = GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), BIAS_RULE)(model)
    groups = wrapper.optimizer.param_groups
    assert [(group['lr'], group['weight_decay']) for group in groups] == [(0.01, 0.04), (0.02, 0.0)]
    names = {id(weight): name for name, weight in model.named_parameters() if weight.requires_grad}
    found = [[names.pop(id(weight)) for weight in group['params']] for group in groups]
    assert not names
    assert all('bias' in name for name in found[1])
    assert not any('bias' in name for name in found[0])
    assert 'image_stream.backbone.bn1.bias' in found[1]
    assert {'heads.identity.projection', 'image_stream.backbone.attnpool.positional_embedding'} <= set(found[0])


def test_the_log_has_one_line_per_group(model, monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger, 'callHandlers', lambda self, record: lines.append(record.getMessage()))
    GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), BIAS_RULE)(model)
    groups = [line.partition(': ')[2] for line in lines if line.startswith('Parameter group')]
    assert groups == ['lr 0.01, weight_decay 0.04', 'lr 0.02, weight_decay 0.0']
    assert not any('paramwise_options' in line or 'requires_grad' in line for line in lines)


def test_optimizer_without_weight_decay(model):
    wrapper = GroupedOptimWrapperConstructor(dict(optimizer=dict(type='SGD', lr=0.1)), None)(model)
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [0.1]


def test_layer_wise_decay_of_both_backbones():
    config = cm_moco_config()
    arch = dict(embed_dim=20, layers=2, width=8, heads=2, vocab_size=50)
    config['text_stream'] = dict(type='TextStream', backbone=dict(type='CLIPTextTransformer', arch=arch))
    model = MODELS.build(config)
    rules = dict(**BIAS_RULE, layer_decay_rate=0.5)
    groups = GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), rules)(model).optimizer.param_groups
    rates = {id(weight): group['lr'] for group in groups for weight in group['params']}
    expected = {
        'image_stream.backbone.conv1.weight': 0.01 * 0.5**5,
        'image_stream.backbone.bn1.bias': 0.02 * 0.5**5,
        'image_stream.backbone.layer3.0.conv1.weight': 0.01 * 0.5**2,
        'image_stream.backbone.attnpool.c_proj.weight': 0.01,
        'text_stream.backbone.positional_embedding': 0.01 * 0.5**3,
        'text_stream.backbone.transformer.resblocks.1.mlp.c_fc.weight': 0.01 * 0.5,
        'text_stream.backbone.text_projection': 0.01,
        'text_projection.linear.weight': 0.01,
        'heads.identity.projection': 0.01,
    }
    assert {name: rates[id(model.get_parameter(name))] for name in expected} == expected
    # Two rates (weights and biases) at each of six depths.
    assert len(groups) == len({(group['lr'], group['weight_decay']) for group in groups}) <= 12


def test_layer_wise_decay_of_a_backbone_of_mmpretrain():
    model = torch.nn.ModuleDict({'stream': MODELS.build(dict(type='mmpretrain.ResNet', depth=50, base_channels=4))})
    groups = GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), dict(layer_decay_rate=0.5))(model).optimizer
    rates = {id(weight): group['lr'] for group in groups.param_groups for weight in group['params']}
    backbone = model['stream']
    assert rates[id(backbone.conv1.weight)] == 0.01 * 0.5**7
    assert rates[id(backbone.layer4[0].conv1.weight)] == 0.01 * 0.5


@pytest.mark.parametrize(
    ('rules', 'message'),
    [
        (dict(layer_decay=0.5), r"has no \['layer_decay'\]; its rules are .*layer_decay_rate"),
        (dict(layer_decay_rate=0.0), r'must lie in \(0, 1\], but got 0'),
        (dict(layer_decay_rate=0.5), 'no backbone of Linear'),
    ],
)
def test_rules_without_effect_are_errors(rules, message):
    with pytest.raises(ValueError, match=message):
        GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), rules)(torch.nn.Linear(2, 2))


def rates_of(model, **rules):
    wrapper = GroupedOptimWrapperConstructor(copy.deepcopy(WRAPPER), rules)(model)
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {
        names[id(weight)]: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for weight in group['params']
    }


def test_the_last_pattern_that_fits_decides_alone(model):
    found = rates_of(
        model,
        patterns=[
            dict(name='bias', lr_mult=2.0, decay_mult=0.0),
            dict(name=r'^image_projection\.', lr_mult=5.0),
            dict(name=r'^text_projection\..*weight$', lr=0.5, decay_mult=0.5),
        ],
        custom_keys=dict(identity=dict(lr_mult=7.0)),
    )
    assert found['image_projection.linear.bias'] == pytest.approx((0.05, 0.04))
    assert found['text_projection.linear.bias'] == (0.02, 0.0)
    assert found['text_projection.linear.weight'] == (0.5, 0.02)
    assert found['heads.identity.projection'] == pytest.approx((0.07, 0.04))
    assert found['image_stream.backbone.conv1.weight'] == (0.01, 0.04)


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (dict(name='imag_stream', lr_mult=2.0), "'imag_stream' fits no parameter of CMMoCoRetriever"),
        (dict(name='bias', rate=2.0), 'is no rule: .*rate'),
        (dict(lr_mult=2.0), 'is no rule: .*name'),
        (dict(name='(bias', lr_mult=2.0), 'is no rule'),
        (dict(name='bias', lr=0.1, lr_mult=2.0), 'give lr or lr_mult, not both'),
        (dict(name='bias', lr_mult=-2.0), 'lr_mult must not be negative'),
    ],
)
def test_patterns_that_are_none_are_named(model, rule, message):
    with pytest.raises(ValueError, match=rf'paramwise_cfg\.patterns: .*{message}'):
        rates_of(model, patterns=[rule])
