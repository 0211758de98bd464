"""The benchmark of the recipes, with thin towers; what it measures is not tested."""

import importlib
import json
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
SIZES = '--batch-size 4 --classes 9 --tower-width 32 --repeats 1'


@pytest.mark.parametrize('chunk', [[], ['--chunk-size', '2']])
def test_every_recipe_has_a_time_and_a_ratio(chunk, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    out = tmp_path / 'out.json'
    importlib.import_module('benchmark').main(['recipes', *SIZES.split(), *chunk, '--out', str(out)])
    figures = json.loads(out.read_text())['figures']
    assert len(figures) == 7
    assert figures['clip_vit-b16_1xb64-60e_cuhk-pedes']['ratio'] == 1
    assert all(row['seconds'] > 0 and row['ratio'] > 0 for row in figures.values())
