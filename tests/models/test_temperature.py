"""Temperatures: CLIP's parametrisation, sharing, files of CLIP, decay."""

import math

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from tiny_clip import save_weights, tiny_clip
from tiny_retriever import dual_stream_config, make_batch

from mmtbps.models import Temperature
from mmtbps.registry import MODELS


def test_constants_and_checks():
    assert Temperature(0.7)() == 0.7
    assert not list(Temperature(0.07).parameters())
    assert Temperature(0.01, learnable=True)().item() == pytest.approx(0.01)
    with pytest.raises(ValueError, match='initial must be above 0, got 0'):
        Temperature(0)
    with pytest.raises(ValueError, match='initial must be a finite number, got nan'):
        Temperature(math.nan)
    with pytest.raises(ValueError, match=r'got 0.009 for max_scale=100'):
        Temperature(0.009, learnable=True)


def test_the_scale_is_capped_and_comes_back():
    temperature = Temperature(0.02, learnable=True, max_scale=50.0).double()
    optimizer = torch.optim.SGD(temperature.parameters(), lr=0.1)
    seen = []
    for direction in (1, 1, -1, -1, -1, -1):  # first colder, then warmer
        optimizer.zero_grad()
        (direction * temperature()).backward()
        temperature.logit_scale.grad = temperature.logit_scale.grad.sign()
        optimizer.step()
        seen.append(round(1 / temperature().item(), 6))
    assert seen[:3] == [50.0] * 3
    assert seen[-1] == pytest.approx(50 * math.exp(-0.2))


def shared(**changes):
    heads = dict(
        itc=dict(type='ITCHead', temperature='clip'),
        sdm=dict(type='SDMHead', temperature='clip'),
        own=dict(type='ITCHead', temperature=0.1),
    )
    return dual_stream_config(temperatures=dict(clip=dict(initial=0.05, learnable=True)), heads=heads, **changes)


def test_heads_share_one_parameter_by_name():
    model = MODELS.build(shared())
    names = [name for name in model.state_dict() if 'logit_scale' in name]

    assert names == ['heads.own.temperature.logit_scale', 'temperatures.clip.logit_scale']
    assert model.heads['itc'].temperature is model.heads['sdm'].temperature is model.temperatures['clip']
    sum(model.loss(**make_batch(6)).values()).backward()
    assert model.temperatures['clip'].logit_scale.grad != 0


def test_a_name_that_is_not_there():
    config = dual_stream_config(heads=dict(itc=dict(type='ITCHead', temperature='klip')))
    with pytest.raises(ValueError, match=r"temperature='klip' names none of the temperatures of the retriever"):
        MODELS.build(config)


def test_clip_s_own_scale_is_loaded(tmp_path):
    clip = tiny_clip()
    with torch.no_grad():
        clip.logit_scale.fill_(3.25)
    path = save_weights(clip, tmp_path / 'clip.safetensors')
    config = shared()
    config['temperatures']['clip']['init_cfg'] = dict(type='mmtbps.CLIPPretrained', checkpoint=str(path))
    model = MODELS.build(config)
    model.init_weights()

    assert model.temperatures['clip'].logit_scale.item() == 3.25
    without = {name: value for name, value in clip.state_dict().items() if name != 'logit_scale'}
    torch.save(without, tmp_path / 'without.pt')
    config['temperatures']['clip']['init_cfg']['checkpoint'] = str(tmp_path / 'without.pt')
    model = MODELS.build(config)
    with pytest.raises(ValueError, match='has no logit_scale'):
        model.init_weights()


def test_a_constant_has_no_weights_to_load(tmp_path):
    path = save_weights(tiny_clip(), tmp_path / 'clip.safetensors')
    with pytest.raises(TypeError, match='a learnable Temperature, not Temperature'):
        Temperature(0.07, init_cfg=dict(type='mmtbps.CLIPPretrained', checkpoint=str(path))).init_weights()


@pytest.mark.parametrize('paramwise_cfg', [None, dict(custom_keys=dict(heads=dict(decay_mult=2.0)))])
def test_learnt_temperatures_do_not_decay(paramwise_cfg):
    model = MODELS.build(shared())
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            constructor='mmtbps.GroupedOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.5),
            paramwise_cfg=paramwise_cfg,
        ),
    )
    temperatures = [model.temperatures['clip'].logit_scale, model.heads['own'].temperature.logit_scale]
    before = [temperature.item() for temperature in temperatures]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    weight = model.image_projection.linear.weight.detach().clone()
    wrapper.optimizer.step()

    assert [temperature.item() for temperature in temperatures] == before
    assert not torch.equal(model.image_projection.linear.weight, weight)


def test_a_temperature_that_no_head_names():
    config = shared()
    config['temperatures']['other'] = dict(learnable=True)
    with pytest.raises(ValueError, match='no head names other as its temperature'):
        MODELS.build(config)
