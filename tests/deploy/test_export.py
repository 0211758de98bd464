"""Exported graphs against the torch models, at batches and lengths that they were not traced with."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from small_models import KINDS, build_encoder, write_files

from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.deploy import (
    Bundle,
    ONNXEncoder,
    compare_encoders,
    evaluate_encoder,
    export_onnx,
    exportable,
    quantize_onnx,
)
from mmtbps.deploy.tracing import ExportableBiGRU
from mmtbps.models import BiGRUNeck
from mmtbps.registry import DATASETS, ENCODERS
from mmtbps.search import Searcher
from mmtbps.toy import draw_samples

TOOL = Path(__file__).parents[2] / 'tools' / 'deploy' / 'export_onnx.py'
FILES = ['image.onnx', 'model.json', 'text.onnx']
needs_int8 = pytest.mark.skipif(
    Version(onnxruntime.__version__) < Version('1.24'), reason='this onnxruntime has no convolutions in int8'
)


@pytest.fixture(scope='module')
def samples():
    return draw_samples(64)


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """One model with its export."""
    root = tmp_path_factory.mktemp('exported')
    encoder = build_encoder(root / 'model', 'clip resnet, gru')
    export_onnx(encoder, root / 'onnx')
    return encoder, root / 'onnx'


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), padding=st.integers(0, 3), legacy=st.booleans())
def test_two_one_way_grus_are_the_packed_one(lengths, padding, legacy):
    torch.manual_seed(len(lengths))
    neck = BiGRUNeck(in_channels=5, hidden_size=4, legacy_padding=legacy)
    longest = max(lengths)
    words = torch.randn(len(lengths), longest + (0 if legacy else padding), 5)
    expected = neck(words, torch.tensor(lengths))
    torch.testing.assert_close(exportable(neck)(words, torch.tensor(lengths)), expected)


@pytest.mark.parametrize('kind', KINDS)
def test_graphs_reproduce_the_model(kind, samples, tmp_path):
    encoder = build_encoder(tmp_path / 'model', kind)
    agreement = export_onnx(encoder, tmp_path / 'onnx')
    assert sorted(path.name for path in (tmp_path / 'onnx').iterdir()) == FILES
    assert min(agreement.image_cosine, agreement.text_cosine) >= 0.9999
    assert agreement.same_order == 1
    images, sentences = samples
    other, text = ONNXEncoder(tmp_path / 'onnx'), [' '.join(sentences[:8]), 'red', *sentences[:5]]
    for size in (1, 7):
        torch.testing.assert_close(other.encode_images(images[:7], size), encoder.encode_images(images[:7], size))
        torch.testing.assert_close(other.encode_texts(text, size), encoder.encode_texts(text, size))
    assert any(isinstance(part, BiGRUNeck) for part in encoder.model.modules()) == ('gru' in kind)


def test_json_alone_is_enough_to_run_the_graphs(exported, samples):
    """What another language would do: nothing but the JSON, a resize and onnxruntime."""
    encoder, folder = exported
    told = json.loads((folder / 'model.json').read_text())
    height, width = told['image_size']
    mean, std = (np.array(told['data_preprocessor'][key], np.float32) for key in ('mean', 'std'))
    pictures = [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in samples[0][:3]]
    batch = ((np.stack(pictures)[..., ::-1] - mean) / std).transpose(0, 3, 1, 2)
    graph = onnxruntime.InferenceSession(str(folder / told['image_graph']['file']))
    (images,) = graph.run(['features'], {'images': np.ascontiguousarray(batch, np.float32)})

    ids = {word: index for index, word in enumerate(told['vocabulary'])}
    rows = [[ids.get(word, 1) for word in text.split()] for text in ('a woman in red', 'unheardof')]
    tokens = np.full((2, 4), told['pad_id'])
    for row, words in zip(tokens, rows, strict=True):
        row[: len(words)] = words
    graph = onnxruntime.InferenceSession(str(folder / told['text_graph']['file']))
    (texts,) = graph.run(['features'], {'tokens': tokens, 'lengths': np.array([4, 1])})

    for found, expected in (
        (images, encoder.encode_images(samples[0][:3])),
        (texts, encoder.encode_texts(['A woman, in red.', 'unheardof'])),
    ):
        torch.testing.assert_close(torch.nn.functional.normalize(torch.from_numpy(found)), expected)
    assert told['dim'] == images.shape[1]


def test_searcher_runs_from_the_files_and_shares_the_gallery(exported, samples, tmp_path):
    encoder, folder = exported
    crops = tmp_path / 'crops'
    crops.mkdir()
    for number, image in enumerate(samples[0][:12]):
        cv2.imwrite(str(crops / f'{number}.png'), image)
    with_torch, with_onnx = Searcher(encoder), Searcher(dict(type='ONNXEncoder', folder=str(folder)))
    with_torch.index(crops, out=tmp_path / 'gallery', num_workers=0, progress=False)
    with_onnx.index(crops, num_workers=0, progress=False)
    expected = with_torch.search(samples[1][:3], topk=5)
    loaded = Searcher.load(tmp_path / 'gallery', encoder=ENCODERS.build(with_onnx.encoder.describe()))
    for searcher in (with_onnx, loaded):
        found = searcher.search(samples[1][:3], topk=5)
        assert [[result.path for result in row] for row in found] == [[r.path for r in row] for row in expected]


def test_the_shell_searches_with_an_exported_model(exported, samples, tmp_path, capsys):
    encoder, folder = exported
    (tmp_path / 'crops').mkdir()
    for number, image in enumerate(samples[0][:12]):
        cv2.imwrite(str(tmp_path / 'crops' / f'{number}.png'), image)
    search = runpy.run_path(str(TOOL.parents[1] / 'search.py'))['main']
    model = ['--onnx', str(folder)]
    first, second = str(tmp_path / 'first'), str(tmp_path / 'second')
    search(['index', str(tmp_path / 'crops'), *model, '--workers', '0', '--out', first])
    Searcher(encoder).index(tmp_path / 'crops', second, num_workers=0, progress=False)
    capsys.readouterr()
    printed = []
    for arguments in ([first], [second], [second, *model]):
        search(['query', *arguments, '--topk', '3', *samples[1][:2]])
        printed.append(capsys.readouterr().out)
    assert printed[0].count('.png') == 6
    assert printed == printed[:1] * 3


def test_an_export_that_does_not_reproduce_the_model_is_not_written(exported, tmp_path, monkeypatch):
    encoder, _ = exported
    right = ExportableBiGRU.forward
    monkeypatch.setattr(ExportableBiGRU, 'forward', lambda *inputs: right(*inputs).flip(1))
    with pytest.raises(RuntimeError, match='do not reproduce'):
        export_onnx(encoder, tmp_path / 'onnx')
    assert list((tmp_path / 'onnx').iterdir()) == []


@needs_int8
def test_int8_is_a_model_of_its_own(exported, samples, tmp_path):
    encoder, folder = exported
    quantize_onnx(folder, tmp_path / 'int8')
    small = ONNXEncoder(tmp_path / 'int8')
    agreement = compare_encoders(encoder, small, *samples)
    assert 0.95 < agreement.image_cosine < 0.999999
    assert small.fingerprint.differences(encoder.fingerprint) == ['weights']
    sizes = [sum((path / name).stat().st_size for name in FILES[::2]) for path in (folder, tmp_path / 'int8')]
    assert sizes[1] < sizes[0]
    with pytest.raises(ValueError, match='already in int8'):
        quantize_onnx(tmp_path / 'int8', tmp_path / 'again')


def test_files_that_do_not_belong_together_are_refused(exported, tmp_path):
    _, folder = exported
    for name in FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert Bundle.load(tmp_path) == Bundle.load(folder)
    (tmp_path / 'text.onnx').write_bytes((folder / 'image.onnx').read_bytes())
    with pytest.raises(ValueError, match=r'text\.onnx does not match its checksum'):
        ONNXEncoder(tmp_path)
    (tmp_path / 'model.json').write_text('{"format": "other"}')
    with pytest.raises(ValueError, match='cannot be read'):
        ONNXEncoder(tmp_path)
    (tmp_path / 'model.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'no model\.json'):
        ONNXEncoder(tmp_path)


def test_int8_by_a_runtime_that_cannot_run_it_is_refused(exported, monkeypatch, tmp_path):
    monkeypatch.setattr('onnxruntime.__version__', '1.23.2')
    with pytest.raises(ImportError, match=r'onnxruntime 1\.23\.2 cannot run .*onnxruntime>=1\.24'):
        quantize_onnx(exported[1], tmp_path / 'int8')
    assert not (tmp_path / 'int8').exists()


def test_missing_packages_and_devices_are_named(exported, monkeypatch):
    _, folder = exported
    with pytest.raises(ValueError, match='device meta is none that this onnxruntime supports'):
        ONNXEncoder(folder, device='meta')
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r'mmtbps\[deploy\]'):
        ONNXEncoder(folder)


@needs_int8
def test_tool_exports_quantises_and_measures(tmp_path, capsys):
    root = draw_toy_pedes(tmp_path / 'toypedes', num_train_ids=1, num_val_ids=1, num_test_ids=6)
    dataset = dict(type='CUHKPEDES', data_root=str(root))
    config, checkpoint = write_files(tmp_path / 'model', 'clip vit, clip text', dataset=dataset)
    tool = runpy.run_path(str(TOOL))
    tool['main']([str(config), str(checkpoint), str(tmp_path / 'onnx'), '--int8', '--evaluate'])
    printed = capsys.readouterr().out
    assert 'same top-10 for 100%' in printed
    figures = {line.split()[0]: line for line in printed.splitlines() if ' t2i ' in line}
    assert list(figures) == ['torch', 'onnx', 'int8']
    data = DATASETS.build(dict(dataset, split='test', test_mode=True))
    for name, folder in (('onnx', 'onnx'), ('int8', 'onnx/int8')):
        expected = evaluate_encoder(ONNXEncoder(tmp_path / folder), data)
        assert f'R@1 {expected["R@1"]:.2f}' in figures[name]


def test_weights_too_many_for_one_file_are_in_a_file_of_their_own(fresh_process, tmp_path, monkeypatch):
    monkeypatch.setattr('mmtbps.deploy.graph_files._MOST_IN_ONE_FILE', 10_000)
    encoder, folder = build_encoder(tmp_path / 'model', 'clip resnet, gru'), tmp_path / 'onnx'
    agreement = export_onnx(encoder, folder)
    assert agreement.same_order == 1
    large = sorted([*FILES, 'image.onnx.data', 'text.onnx.data'])
    assert sorted(path.name for path in folder.iterdir()) == large
    moved = tmp_path / 'moved'
    shutil.copytree(folder, moved)
    torch.testing.assert_close(ONNXEncoder(moved).encode_texts(['red']), encoder.encode_texts(['red']))

    weights = moved / 'image.onnx.data'
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r'image\.onnx\.data does not match its checksum'):
        ONNXEncoder(moved)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r'image\.onnx\.data is missing'):
        ONNXEncoder(moved)

    monkeypatch.undo()  # also of the fresh process
    export_onnx(encoder, folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES


@needs_int8
def test_int8_of_large_graphs(samples, tmp_path, monkeypatch):
    monkeypatch.setattr('mmtbps.deploy.graph_files._MOST_IN_ONE_FILE', 10_000)
    encoder = build_encoder(tmp_path / 'model', 'clip vit, clip text')
    export_onnx(encoder, tmp_path / 'onnx')
    quantize_onnx(tmp_path / 'onnx', tmp_path / 'int8')
    agreement = compare_encoders(encoder, ONNXEncoder(tmp_path / 'int8'), *samples)
    assert min(agreement.image_cosine, agreement.text_cosine) > 0.95


def test_what_another_process_cannot_open_is_not_written(fresh_process, exported, tmp_path, monkeypatch):
    encoder, _ = exported
    monkeypatch.setattr(
        'mmtbps.deploy.export.Bundle.save', lambda bundle, folder: (folder / 'model.json').write_text('{}')
    )
    with pytest.raises(
        RuntimeError, match=r'cannot be used by another process: ValueError: .*model\.json cannot be read'
    ):
        export_onnx(encoder, tmp_path / 'onnx')
    assert not list((tmp_path / 'onnx').iterdir())
