"""What the JSON of an exported model says is parsed, never run."""

import json
import shutil
import sys

import pytest
from small_models import build_encoder

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
