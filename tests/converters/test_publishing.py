"""Checkpoints made ready for others, by the function and by the tool."""

import hashlib
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from tiny_retriever import cm_moco_config
from torch import nn

from mmtbps.converters import publish_checkpoint
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.models import DualStreamRetriever
from mmtbps.registry import MODELS

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'publish_model.py'
META = dict(epoch=3, dataset_meta=dict(vocabulary=['<pad>', '<unk>', 'red'], person_ids=[1, 2]))


@pytest.fixture(scope='module')
def model():
    return MODELS.build(cm_moco_config())


@pytest.fixture(scope='module')
def weights(model):
    return model.state_dict()


@pytest.fixture
def checkpoint(weights, tmp_path):
    torch.save(dict(meta=META, state_dict=weights, optimizer=dict(state={}), message_hub={}), tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


def test_encoders_and_metadata_stay_and_the_name_tells_the_content(checkpoint, weights, tmp_path):
    published = publish_checkpoint(checkpoint, tmp_path / 'out' / 'model.pth')
    stored = load_checkpoint_file(published.path)
    assert stored.keys() == {'meta', 'state_dict'}
    assert stored['meta'] == META
    kept = {name for name in weights if name.split('.')[0] in DualStreamRetriever.encoders}
    assert stored['state_dict'].keys() == kept
    assert all(torch.equal(stored['state_dict'][name], weights[name]) for name in kept)
    digest = hashlib.sha256(published.path.read_bytes()).hexdigest()
    assert published.path == tmp_path / 'out' / f'model-{digest[:8]}.pth'
    assert published.left_out[-2:] == ('optimizer', 'message_hub')
    assert {part.split()[0] for part in published.left_out[:-2]} == {'heads', 'queue', 'key_encoders'}
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [published.path.name]


def test_it_is_the_same_file_however_the_weights_come(checkpoint, model, tmp_path):
    first = publish_checkpoint(checkpoint, tmp_path / 'model')
    torch.save(dict(model=nn.DataParallel(model).state_dict(), meta=META), tmp_path / 'wrapped.pth')
    assert publish_checkpoint(tmp_path / 'wrapped.pth', tmp_path / 'model').path == first.path
    again = publish_checkpoint(first.path, tmp_path / 'model.pth')
    assert (again.path, again.left_out) == (first.path, ())


def test_a_view_does_not_take_its_whole_storage_along(weights, tmp_path):
    big = torch.zeros(1_000_000)
    torch.save({'state_dict': {'image_stream.a': big[:10], 'heads.b': big}}, tmp_path / 'a.pth')
    assert publish_checkpoint(tmp_path / 'a.pth', tmp_path / 'b').path.stat().st_size < 10_000


def test_a_file_without_encoders_is_refused_and_other_encoders_can_be_named(tmp_path):
    torch.save({'model': {'visual.proj': torch.ones(2), 'head.bias': torch.ones(1)}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'has no weights of image_stream, .*its own are of head, visual\. Convert'):
        publish_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    published = publish_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', ['visual', 'text'])
    assert (published.left_out, published.absent) == (('head (1)',), ('text',))


def test_the_tool_says_what_it_left_out(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(checkpoint), str(tmp_path / 'model.pth')])
    runpy.run_path(str(TOOL), run_name='__main__')
    told = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r'Left out: heads \(\d+\), queue \(5\), key_encoders \(\d+\), optimizer, message_hub\.', told[0]
    )
    assert Path(told[-1]).is_file()
