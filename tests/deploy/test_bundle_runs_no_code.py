"""What the JSON of an exported model says is parsed, never run."""

import json
import shutil
import sys

import pytest
import torch
from small_models import build_encoder

from mmtbps.core.files import file_sha256
from mmtbps.deploy import ONNXEncoder, export_onnx


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp('exported')
    encoder = build_encoder(root / 'model', 'clip resnet, gru')
    export_onnx(encoder, root / 'onnx')
    return encoder, root / 'onnx'


@pytest.fixture
def bundle(exported, tmp_path):
    return shutil.copytree(exported[1], tmp_path / 'onnx')


def change(bundle, **entries):
    file = bundle / 'model.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


PAYLOADS = dict(
    tokenizer=dict(type='os.system', command='touch {marker}'),
    pipeline=[dict(type='os.system', command='touch {marker}')],
    data_preprocessor=dict(type='os.system', command='touch {marker}'),
    modules=['evil_parts'],
)


@pytest.mark.parametrize('entry', PAYLOADS)
def test_a_bundle_runs_nothing(bundle, tmp_path, monkeypatch, entry):
    marker = tmp_path / 'marker'
    (tmp_path / 'evil_parts.py').write_text(f'open({str(marker)!r}, "w").close()\n')
    monkeypatch.syspath_prepend(tmp_path)
    change(bundle, **{entry: json.loads(json.dumps(PAYLOADS[entry]).replace('{marker}', str(marker)))})
    refused = 'module evil_parts.*--trust evil_parts' if entry == 'modules' else rf'{entry}.*type is .os\.system.'
    with pytest.raises(ValueError, match=refused) as error:
        ONNXEncoder(bundle)
    assert '\n' not in str(error.value)
    assert not marker.exists()
    assert 'evil_parts' not in sys.modules


SIZED = [dict(type='LoadPersonImage'), dict(type='Resize', scale=[32, 32]), dict(type='PackTBPSInputs')]
ALTERED = dict(
    size=(dict(pipeline=[SIZED[0], dict(SIZED[1], scale=[32, 2000]), SIZED[2]]),
          r'images \(3, 2000, 32\), but its graph takes \(3, 32, 32\)'),
    memory=(dict(pipeline=[SIZED[0], dict(SIZED[1], scale=[10**6, 10**6]), SIZED[2]]),
            r'pipeline\[1\]\.scale is .* no size of an image'),
    ratio=(dict(pipeline=[SIZED[0], dict(type='ResizeEdge', scale=32), SIZED[2]]), r'give images \(3, 64, 32\)'),
    scale=(dict(pipeline=[SIZED[0], dict(SIZED[1], scale=[[1], 32]), SIZED[2]]),
           r'pipeline cannot be built from it \(pipeline\[1\] '),
    mean=(dict(data_preprocessor=dict(type='TBPSDataPreprocessor', mean=[1.0, 2.0], std=[1.0, 2.0])),
          'data_preprocessor cannot be built from it'),
    image_size=(dict(image_size=[64, 32]), r'image_size is \[64, 32\], but image\.onnx takes .*, 32, 32\]'),
    pad=(dict(pad_id=True), 'its pad_id is True'),
    pad_far=(dict(pad_id=10**9), 'pad_id is 1000000000, but that of its tokenizer is 0'),
)  # fmt: skip


@pytest.mark.parametrize(('entries', 'message'), ALTERED.values(), ids=ALTERED)
def test_what_does_not_fit_the_graphs_is_told_when_a_bundle_is_opened(bundle, entries, message):
    change(bundle, **entries)
    with pytest.raises(ValueError, match=rf'onnx.model\.json.*{message}') as error:
        ONNXEncoder(bundle)
    assert '\n' not in str(error.value)


def test_words_that_the_graph_has_not_are_told_by_its_name(bundle):
    words = json.loads((bundle / 'model.json').read_text())['vocabulary']
    change(bundle, vocabulary=[*words, 'zebra'])
    with pytest.raises(ValueError, match=r'onnx.text\.onnx does not run with what model\.json prepares') as error:
        ONNXEncoder(bundle).encode_texts(['a zebra'])
    assert '\n' not in str(error.value)


def test_images_of_another_size_are_told_by_the_bundle(bundle):
    encoder = ONNXEncoder(bundle)
    with pytest.raises(ValueError, match=r'model\.json: .* give images \(3, 16, 32\)'):
        encoder.embed_images(torch.zeros(1, 3, 16, 32, dtype=torch.uint8))


def test_a_graph_that_is_none_is_told_by_its_name(bundle):
    (bundle / 'image.onnx').write_bytes(b'no graph')
    told = dict(json.loads((bundle / 'model.json').read_text())['image_graph'])
    change(bundle, image_graph=dict(told, sha256=file_sha256(bundle / 'image.onnx')))
    with pytest.raises(ValueError, match=r'onnxruntime cannot open .*image\.onnx') as error:
        ONNXEncoder(bundle)
    assert '\n' not in str(error.value)


def test_checksums_are_those_of_the_graphs_that_run(bundle):
    told = json.loads((bundle / 'model.json').read_text())['text_graph']
    change(bundle, image_graph=told)  # true of another file
    with pytest.raises(ValueError, match=r'image\.onnx does not match its checksum'):
        ONNXEncoder(bundle)


def test_an_older_export_is_refused(bundle):
    change(bundle, format='mmtbps-onnx-1')
    with pytest.raises(ValueError, match=r"format is 'mmtbps-onnx-1', not 'mmtbps-onnx-2'"):
        ONNXEncoder(bundle)


def test_deep_json_is_refused(bundle):
    (bundle / 'model.json').write_text('[' * 100_000)
    with pytest.raises(ValueError, match=r'model\.json cannot be read'):
        ONNXEncoder(bundle)


def test_a_bundle_has_the_fingerprint_of_its_model(exported):
    encoder, folder = exported
    assert ONNXEncoder(folder).fingerprint == encoder.fingerprint
