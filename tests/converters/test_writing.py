"""Files around a conversion: what is read, what is written, and what must stay."""

import errno
import math
import pickle
import re
import shutil
import tarfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from published_shapes import irra_shapes, random_weights

from mmtbps.converters import Options, convert_file, parse_options, revert_file
from mmtbps.converters.layouts import foreign_family

TINY = dict(vision=64, text=64, layers=1, dim=32)


@pytest.fixture(scope='module')
def weights():
    return random_weights(irra_shapes(**TINY), half=False)


@pytest.fixture
def theirs(weights, tmp_path):
    torch.save(dict(model=weights), tmp_path / 'theirs.pth')
    return tmp_path / 'theirs.pth'


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def unchanged(tmp_path, theirs):
    """Nothing but what was there is there in the end."""
    before = contents(tmp_path)
    yield before
    assert contents(tmp_path) == before


def test_the_source_stays(theirs, unchanged):
    for convert in (convert_file, lambda source, target: revert_file(source, target, 'irra')):
        with pytest.raises(ValueError, match=r'theirs\.pth is the file to read; give the result another name'):
            convert(theirs, theirs)


def test_a_link_to_the_source_is_the_source(theirs, tmp_path):
    (tmp_path / 'link.pth').symlink_to(theirs)
    with pytest.raises(ValueError, match=r'link\.pth is the file to read'):
        convert_file(theirs, tmp_path / 'link.pth')


def test_a_config_of_somebody_else_stays(theirs, tmp_path):
    (tmp_path / 'train.py').write_text('print(1)\n')
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r'would replace .*train\.py, which no conversion has written'):
        convert_file(theirs, tmp_path / 'train.pth')
    assert contents(tmp_path) == before
    convert_file(theirs, tmp_path / 'ours.pth')
    convert_file(theirs, tmp_path / 'ours.pth', options=parse_options(['mean=1,2,3']))
    assert '1.0' in (tmp_path / 'ours.py').read_text()


@pytest.mark.parametrize('name', ['ours.pth', 'ours.py'])
def test_a_folder_in_the_way(name, theirs, tmp_path, unchanged):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=rf'{name} is a folder'):
        convert_file(theirs, tmp_path / 'ours.pth')


@pytest.mark.parametrize('error', [OSError(errno.ENOSPC, 'No space left'), RuntimeError('PytorchStreamWriter failed')])
def test_both_files_or_none(error, theirs, tmp_path, unchanged, monkeypatch):
    def fail(_, stream):
        stream.write(b'half')
        raise error

    monkeypatch.setattr(torch, 'save', fail)
    for convert in (convert_file, lambda source, target: revert_file(source, target, 'irra')):
        if convert is not convert_file:
            monkeypatch.setattr('mmtbps.converters.conversion._revert', lambda *_: {})
        with pytest.raises(OSError, match=r'ours\.pth cannot be written: (No space|Pytorch).* that has room'):
            convert(theirs, tmp_path / 'ours.pth')


def test_a_folder_that_cannot_be_made(theirs, unchanged):
    with pytest.raises(OSError, match=r'ours\.pth cannot be written: (Not a directory|File exists).* may write to'):
        convert_file(theirs, theirs / 'ours.pth')


def test_the_way_back_needs_a_checkpoint_of_ours(theirs, tmp_path):
    with pytest.raises(ValueError, match=r'theirs\.pth: .*no checkpoint of a retriever of mmtbps: .*base_model'):
        revert_file(theirs, tmp_path / 'back.pth', 'irra')
    convert_file(theirs, tmp_path / 'ours.pth')
    for layout, message in dict(rde='token selection on both towers', textreid='no counterpart').items():
        with pytest.raises(ValueError, match=rf'ours\.pth: .*{message}'):
            revert_file(tmp_path / 'ours.pth', tmp_path / 'back.pth', layout)
    state = torch.load(tmp_path / 'ours.pth', weights_only=True)['state_dict']
    state.pop('image_stream.backbone.class_embedding')
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'part\.pth: The tower lacks class_embedding'):
        revert_file(tmp_path / 'part.pth', tmp_path / 'back.pth', 'irra')
    with pytest.raises(ValueError, match=r'--learnt-words is for the layout textreid'):
        revert_file(tmp_path / 'ours.pth', tmp_path / 'back.pth', 'irra', learnt_words=True)
    assert not (tmp_path / 'back.pth').exists()


@pytest.mark.parametrize(
    'arguments', [dict(words='w.txt'), dict(word_table='t.npy'), dict(options=Options(model='ViT-B-16'))]
)
def test_arguments_of_other_layouts_are_refused(arguments, theirs, tmp_path, unchanged):
    with pytest.raises(
        ValueError, match=r'theirs\.pth: --(words and --word-table are for|option model: the layout irra)'
    ):
        convert_file(theirs, tmp_path / 'ours.pth', **arguments)


@given(
    name=st.sampled_from(['mean', 'std']), bad=st.sampled_from([math.nan, math.inf, -math.inf]), place=st.integers(0, 2)
)
def test_values_that_are_no_numbers_are_refused(name, bad, place):
    values = ['1.0'] * 3
    values[place] = str(bad)
    with pytest.raises(ValueError, match=rf'--option {name}: every value must be finite, got .*{bad}'):
        parse_options([f'{name}={",".join(values)}'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['std=1,0,1'], r'--option std: every value must lie above 0, got \(1\.0, 0\.0, 1\.0\)'),
        (['std=1,-1,1'], 'must lie above 0'),
        (['input_size=99999x99999'], r'--option input_size: every value must lie in 1 \.\. 4096'),
        (['mean=1,2,3', 'mean=1,2,3'], 'mean is given twice'),
    ],
)
def test_values_that_no_model_has_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        parse_options(options)


@pytest.mark.parametrize('option', ['stride=99', 'vision_heads=7', 'input_size=8x8'])
def test_values_that_this_model_cannot_have_name_the_option(option, theirs, tmp_path, unchanged):
    with pytest.raises(ValueError, match=rf'theirs\.pth: --option {option}|input_size'):
        convert_file(theirs, tmp_path / 'ours.pth', options=parse_options([option]))


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: path.write_text('hello world\n'), 'torch.save has not written it'),
        (lambda path: path.write_bytes(b''), 'it is empty'),
        (lambda path: path.write_bytes(pickle.dumps([1])), r'as weights'),
        (lambda path: torch.save([1], path), 'it holds a list'),
        (lambda path: tarfile.open(path, 'w').close(), 'archive|torch.save has not'),
    ],
)
def test_files_without_weights_are_told_and_no_other_is_recommended(write, message, theirs, tmp_path, recwarn):
    write(tmp_path / 'source.pth')
    shutil.copy(theirs, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=rf'source\.pth cannot be read as weights: .*{message}|{message}') as error:
        convert_file(tmp_path / 'source.pth', tmp_path / 'ours.pth')
    assert 'other.pth' not in str(error.value)
    assert not recwarn.list


def test_an_archive_is_to_be_unpacked(theirs, tmp_path):
    with tarfile.open(tmp_path / 'all.tar', 'w') as archive:
        archive.add(theirs, 'best.pth')
    with pytest.raises(ValueError, match=r'all\.tar cannot be read as weights: it is an archive'):
        convert_file(tmp_path / 'all.tar', tmp_path / 'ours.pth')


@pytest.mark.parametrize('prefix', ['model.', 'clip_model.', 'module.model.', 'model.clip_model.'])
def test_prefixes_of_wrappers_go(prefix, weights, tmp_path):
    torch.save({f'{prefix}{name}': value for name, value in weights.items()}, tmp_path / 'theirs.pth')
    assert convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth').layout == 'irra'


@pytest.mark.parametrize(
    ('names', 'family'),
    [
        (['embeddings.cls_token', 'encoder.layer.0.layer_scale1.lambda1', 'encoder.layer.0.x'], 'DINOv2'),
        (['cls_token', 'blocks.0.ls1.gamma', 'blocks.0.attn.qkv.weight'], 'DINOv2'),
        (['dinov2.embeddings.cls_token', 'encoder.layer.0.x'], 'DINOv2'),
        (['bert.encoder.layer.0.x'], 'BERT'),
        (['vision_model.embeddings.class_embedding'], 'one tower of transformers. CLIP, vision_model'),
        (['text_model.encoder.layers.0.self_attn.q_proj.weight'], 'one tower of transformers. CLIP, text_model'),
        (['text_decoder.ln_final.weight', 'visual.conv1.weight'], 'CoCa'),
        (['model.vision_tower.x', 'lm_head.weight'], 'LLaVA'),
        (['vision_model.head.probe', 'logit_bias'], 'SigLIP'),
        (['image_stream.backbone.conv1.weight'], 'a retriever of mmtbps itself; it needs no conversion'),
    ],
)
def test_families_are_named(names, family):
    found = foreign_family(names)
    assert found is not None
    assert re.search(family, found)


def test_a_plain_clip_with_a_bias_of_its_logits_is_one(weights, tmp_path):
    plain = {name.removeprefix('base_model.'): value for name, value in weights.items()}
    plain['visual.positional_embedding'] = torch.zeros(1 + 14 * 14, 64)
    torch.save({**plain, 'logit_bias': torch.tensor(-10.0)}, tmp_path / 'theirs.pth')
    converted = convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', options=parse_options(['quick_gelu=true']))
    assert (converted.layout, converted.left_out) == ('clip', ['logit_bias'])
