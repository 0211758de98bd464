"""The benchmark of a training step, shrunk: its yardstick computes the same losses, step after step."""

import importlib
import json
from pathlib import Path

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
SIZES = '--batch-size 8 --size 64 32 --layers 1 2 1 1 --width 8 --classes 12 --words 60 --queue-size 20'


def test_both_sides_compute_the_same_losses(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    out = tmp_path / 'out.json'
    importlib.import_module('benchmark').main(['step', *SIZES.split(), '--repeats', '2', '--out', str(out)])
    report = json.loads(out.read_text())
    figures = report['figures']
    assert report['settings']['queue_size'] == 20
    # Rounding apart, which Adam magnifies; the second and third step see moved weights, keys and a wrapped queue.
    assert figures['losses of the first step, relative difference'] < 1e-5
    assert figures['losses of all steps, relative difference'] < 1e-4
    assert 0 < figures['momentum update and queue, share of a step'] < 1
    assert figures['time, ratio to plain'] > 0
    assert figures['ours, memory (MB)'] > 0
