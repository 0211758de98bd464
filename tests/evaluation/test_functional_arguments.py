"""Metric functions refuse None by the argument's name."""

import inspect

import pytest
import torch

from mmtbps.evaluation import functional


def prepare(query, gallery):
    return lambda rows: query[rows] @ gallery.T


VALID = dict(
    query_feats=torch.randn(6, 4),
    gallery_feats=torch.randn(6, 4),
    query_pids=torch.arange(6) // 2,
    gallery_pids=torch.arange(6) // 2,
    similarity=torch.randn(6, 6),
    difference=torch.randn(6),
    groups=torch.arange(6) // 2,
    prepare=prepare,
    rows=lambda rows: torch.randn(len(rows), 6),
    size=3,
)
VALID['scores'] = functional.score_similarity(VALID['similarity'], VALID['query_pids'], VALID['gallery_pids'])
FUNCTIONS = [kind for kind in vars(functional).values() if inspect.isfunction(kind)]


def arguments():
    for function in FUNCTIONS:
        for name, parameter in inspect.signature(function).parameters.items():
            if 'None' not in str(parameter.annotation):
                yield pytest.param(function, name, id=f'{function.__name__}-{name}')


@pytest.mark.parametrize(('function', 'name'), arguments())
def test_none_is_refused_by_name(function, name):
    required = {
        key: VALID[key]
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
    }
    function(**required)
    with pytest.raises((TypeError, ValueError), match=rf'^{name} must '):
        function(**{**required, name: None})


def test_all_functions_are_walked():
    assert len(FUNCTIONS) >= 12
