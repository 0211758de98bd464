"""Checkpoints of the public code from file to figures, against a plain evaluation with PIL and torch."""

import io
import json
import pickle

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from open_clip.modified_resnet import ModifiedResNet
from PIL import Image
from reference_vectors import FOLDER
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torchvision.models.resnet import Bottleneck, ResNet

from mmtbps.apis import test as evaluate
from mmtbps.converters import convert_file, parse_options, revert_file
from mmtbps.core.checkpoint import load_checkpoint_file

WORDS = ['<pad>', '<unk>', *(f'word{number}' for number in range(58))]
PERSONS, VIEWS = 8, 2
POOL = 'visual_model.attnpool.'


@pytest.fixture(scope='module')
def trajectory():
    return torch.load(FOLDER / 'traj_mixed.pth', weights_only=True)


def as_baseline(state):
    """The names that the public code's baseline has for the same weights."""
    names = {'v_embed_layer': 'visual_embed_layer', 't_embed_layer': 'textual_embed_layer'}
    kept = {name: value for name, value in state.items() if name.startswith(('visual_model.', 'textual_model.'))}
    for ours, theirs in names.items():
        for part in ('weight', 'bias'):
            kept[f'embed_model.{theirs}.{part}'] = state[f'embed_model.{ours}.{part}']
    return {**kept, 'embed_model.loss_evaluator.projection': state['embed_model.loss_evaluator.projection']}


def last_stride_1(network):
    """ImageNet's ResNet, whose last layer keeps the size of the map, without its classifier."""
    network.layer4[0].conv2.stride = network.layer4[0].downsample[0].stride = (1, 1)
    network.fc = nn.Identity()
    return network.eval()


def make(kind, trajectory):
    """State of the public code, its word table if that is kept apart, an image network, size, mean, deviation."""
    state = {name: value.float() if value.is_floating_point() else value for name, value in trajectory['final'].items()}
    clip = dict(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711), size=(64, 32))
    if kind != 'contrast':
        state = as_baseline(state)
    if kind != 'baseline, ImageNet':
        network = ModifiedResNet([1, 1, 1, 1], output_dim=48, heads=2, image_size=64, width=2)
        network.layer4[0].avgpool = nn.Identity()
        network.layer4[0].downsample[0] = nn.Identity()
        network.attnpool.positional_embedding = nn.Parameter(state['visual_model.attnpool.positional_embedding'])
        own = {name.removeprefix('visual_model.'): value for name, value in state.items() if 'visual_model' in name}
        network.load_state_dict(own)
    else:
        torch.manual_seed(0)
        network = last_stride_1(ResNet(Bottleneck, [3, 4, 6, 3]))
        state = {name: value for name, value in state.items() if not name.startswith('visual_model.')}
        state |= {f'visual_model.{name}': value for name, value in network.state_dict().items()}
        state['embed_model.visual_embed_layer.weight'] = 0.02 * torch.randn(32, 2048)
        clip = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=(384, 128))
    if (kind != 'contrast' and 'one-hot' in kind) or 'ImageNet' in kind:
        return {**state, 'textual_model.embed.weight': trajectory['table']}, None, network.eval(), clip
    return state, trajectory['table'], network.eval(), clip


KINDS = ['contrast', 'baseline', 'baseline, one-hot', 'baseline, ImageNet']


@pytest.fixture
def data_root(tmp_path):
    """Images of odd sizes with captions of any length, in CUHK-PEDES's layout; one batch."""

    rng, entries = np.random.default_rng(0), []
    for person in range(PERSONS):
        colour = rng.integers(0, 256, (6, 3, 3))
        for view in range(VIEWS):
            path = f'test/{person}_{view}.png'
            (tmp_path / 'imgs' / 'test').mkdir(parents=True, exist_ok=True)
            noisy = (colour + rng.integers(-30, 31, colour.shape)).clip(0, 255).astype(np.uint8)
            size = int(rng.integers(20, 90)), int(rng.integers(60, 200))
            cv2.imwrite(str(tmp_path / 'imgs' / path), cv2.resize(noisy, size, interpolation=cv2.INTER_CUBIC))
            captions = [' '.join(rng.choice(WORDS[2:], rng.integers(1, 30))) for _ in range(2)]
            entries.append(dict(split='test', captions=captions, file_path=path, id=person))
    (tmp_path / 'reid_raw.json').write_text(json.dumps(entries))
    return tmp_path


@torch.no_grad()
def plain_figures(state, table, network, size, mean, std, root, entries):
    """R@1, R@5, R@10 from text to image, as the public code computes them."""
    (height, width), features = size, []
    for entry in entries:
        image = Image.open(root / 'imgs' / entry['file_path']).convert('RGB').resize((width, height), Image.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        features.append((pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None])
    names = ('visual_embed_layer', 'textual_embed_layer')
    if 'embed_model.v_embed_layer.weight' in state:
        names = ('v_embed_layer', 't_embed_layer')
    weights = [(state[f'embed_model.{name}.weight'], state[f'embed_model.{name}.bias']) for name in names]
    images = F.linear(network(torch.stack(features)), *weights[0])

    table = state.get('textual_model.embed.weight', table).float()
    ids = {word: number for number, word in enumerate(WORDS)}
    captions = [[ids[word] for word in caption.split()] for entry in entries for caption in entry['captions']]
    lengths = torch.tensor([len(words) for words in captions])
    padded = torch.zeros(len(captions), int(lengths.max()), dtype=torch.int64)
    for row, words in zip(padded, captions, strict=True):
        row[: len(words)] = torch.tensor(words)
    gru = nn.GRU(24, 20, bias=False, bidirectional=True, batch_first=True)
    prefix = 'textual_model.gru.'
    gru.load_state_dict({name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)})
    packed = pack_padded_sequence(table[padded], lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True)
    texts = F.linear(states.max(dim=1).values, *weights[1])

    similarity = F.normalize(texts) @ F.normalize(images).T
    persons = torch.tensor([entry['id'] for entry in entries])
    of_texts = persons.repeat_interleave(2)
    right = persons[similarity.argsort(dim=1, descending=True)] == of_texts[:, None]
    return {f'R@{k}': 100 * right[:, :k].any(dim=1).double().mean().item() for k in (1, 5, 10)}


@pytest.mark.parametrize('kind', KINDS)
def test_a_converted_checkpoint_has_the_figures_of_the_public_code(kind, trajectory, data_root, tmp_path):

    state, table, network, settings = make(kind, trajectory)
    torch.save(dict(model={f'module.{name}': value for name, value in state.items()}), tmp_path / 'theirs.pth')
    (tmp_path / 'words.txt').write_text('\n'.join(WORDS))
    options = dict(words=tmp_path / 'words.txt')
    if table is not None:
        torch.save(table, tmp_path / 'table.pth')
        options['word_table'] = tmp_path / 'table.pth'
    heads = parse_options([] if 'ImageNet' in kind else ['vision_heads=2'])
    converted = convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', options=heads, **options)
    assert converted.layout == 'textreid'
    cfg = Config.fromfile(tmp_path / 'ours.py')
    cfg.test_dataloader.dataset.data_root = str(data_root)
    cfg.test_dataloader.num_workers = 0
    cfg.merge_from_dict(dict(work_dir=str(tmp_path / 'run'), experiment_name=f'textreid_{KINDS.index(kind)}'))
    figures = evaluate(cfg, str(tmp_path / 'ours.pth'))
    entries = json.loads((data_root / 'reid_raw.json').read_text())
    expected = plain_figures(state, table, network, root=data_root, entries=entries, **settings)
    assert {name: figures[f't2i/{name}'] for name in expected} == pytest.approx(expected, abs=1e-10)
    assert 0 < expected['R@1'] < expected['R@10']


@pytest.mark.parametrize('kind', KINDS)
def test_the_way_back_is_read_as_the_public_code_reads(kind, trajectory, tmp_path):
    state, table, *_ = make(kind, trajectory)
    torch.save(dict(model=state), tmp_path / 'theirs.pth')
    torch.save(table, tmp_path / 'table.pth')
    words = None if table is None else tmp_path / 'table.pth'
    with pytest.warns(UserWarning, match=r'comes without words \(--words FILE\); the result answers no sentence'):
        convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', word_table=words)
    revert_file(tmp_path / 'ours.pth', tmp_path / 'back.pth', 'textreid', learnt_words=table is None)
    back = load_checkpoint_file(tmp_path / 'back.pth')['model']
    assert set(back) == set(state)
    assert all(torch.equal(back[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda state: state.pop('visual_model.conv1.weight'), 'image stream is not whole'),
        (lambda state: state.pop('textual_model.gru.weight_ih_l0'), 'text stream is not whole'),
        (lambda state: state.pop('embed_model.visual_embed_layer.weight'), 'no projection of the images'),
        (lambda state: state.update({'textual_model.embed.weight': torch.ones(60, 24)}), 'leave the word table out'),
        (lambda state: state.update({'textual_model.embed.bias': torch.ones(24)}), r'textual_model\.embed\.bias'),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_told(change, message, trajectory, tmp_path):
    state, table, *_ = make('baseline', trajectory)
    change(state)
    torch.save(dict(model=state), tmp_path / 'theirs.pth')
    torch.save(table, tmp_path / 'table.pth')
    with pytest.raises(ValueError, match=rf'theirs\.pth: .*{message}'):
        convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', word_table=tmp_path / 'table.pth')
    assert not (tmp_path / 'ours.pth').exists()


@pytest.fixture
def theirs(trajectory, tmp_path):
    torch.save(dict(model=make('baseline', trajectory)[0]), tmp_path / 'theirs.pth')
    return tmp_path / 'theirs.pth'


def nothing_but(theirs, *names):
    return {path.name for path in theirs.parent.iterdir()} == {theirs.name, *names}


def objects():
    """A numpy file of pickled objects."""
    stream = io.BytesIO()
    np.save(stream, np.array([{}]), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: path.write_text('hello'), r'cannot be read: '),
        (lambda path: path.write_bytes(b''), r'cannot be read: '),
        (lambda path: path.write_bytes(pickle.dumps({'a': len})), r'cannot be read: '),
        (lambda path: path.write_bytes(objects()), r'cannot be read: '),
        (lambda path: torch.save({'a': torch.ones(2)}, path), r'cannot be read: '),
        (lambda path: torch.save(torch.ones(60, 24, dtype=torch.int8), path), r'int8 numbers of the shape \(60, 24\)'),
        (lambda path: torch.save(torch.ones(24), path), r'of the shape \(24,\)'),
        (lambda path: torch.save(torch.ones(60, 30), path), 'vectors of 30 numbers, but the text stream reads 24'),
        (lambda path: torch.save(torch.full((60, 24), np.nan), path), r'embed\.weight has values that are not finite'),
    ],
)  # fmt: skip
@pytest.mark.parametrize('suffix', ['.npy', '.pth'])
def test_a_word_table_that_is_none_is_told(suffix, write, message, theirs, tmp_path):
    table = tmp_path / f'table{suffix}'
    write(table)
    file = r'table\.|theirs\.' if suffix == '.pth' else 'table.npy'
    expected = rf'({file}).*({message})' if suffix == '.pth' else file
    with pytest.raises(ValueError, match=expected) as error:
        convert_file(theirs, tmp_path / 'ours.pth', word_table=table)
    assert '\n' not in str(error.value)
    assert nothing_but(theirs, table.name)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'\xff\xfe\x80', 'is no text in UTF-8'), (b'', 'words'), (b'a\nb', 'words')],
)
def test_words_that_are_none_are_told(content, message, theirs, trajectory, tmp_path):
    (tmp_path / 'words.txt').write_bytes(content)
    torch.save(trajectory['table'], tmp_path / 'table.pth')
    with pytest.raises(ValueError, match=rf'words\.txt.*{message}'):
        convert_file(theirs, tmp_path / 'ours.pth', words=tmp_path / 'words.txt', word_table=tmp_path / 'table.pth')
    assert nothing_but(theirs, 'words.txt', 'table.pth')
    with pytest.raises(FileNotFoundError, match=r'no file .*none\.txt'):
        convert_file(theirs, tmp_path / 'ours.pth', words=tmp_path / 'none.txt', word_table=tmp_path / 'table.pth')


def test_without_a_table_the_words_are_asked_for_too(theirs, tmp_path):
    with pytest.warns(UserWarning, match=r'without words \(--words FILE\) and vectors of words \(--word-table FILE\)'):
        convert_file(theirs, tmp_path / 'ours.pth')


@pytest.mark.parametrize('option', ['mean=1,2,3', 'input_size=256x128', 'interpolation=bicubic', 'model=RN50'])
def test_options_without_use_are_refused(option, theirs, tmp_path):
    with pytest.raises(ValueError, match=rf'--option {option.partition("=")[0]}: the layout textreid has no use'):
        convert_file(theirs, tmp_path / 'ours.pth', options=parse_options([option]))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda state: state.pop(f'{POOL}c_proj.bias'), r'visual_model\.attnpool\.c_proj\.bias is missing'),
        (lambda state: state.pop('visual_model.layer1.0.conv1.weight'), 'image stream is not whole'),
        (lambda state: state.update({'visual_model.bn1.bias': torch.ones(3)}), r'visual_model\.bn1\.bias has the sh'),
        (lambda state: state['visual_model.conv1.weight'].fill_(np.inf), r'conv1\.weight has values that are not'),
        (lambda state: state.update({'textual_model.gru.weight_ih_l0': torch.tensor(1.0)}), r'shape \(\)'),
    ],
)  # fmt: skip
def test_weights_that_the_network_cannot_have_are_listed(change, message, trajectory, tmp_path):
    state = {name: value.clone() for name, value in make('baseline, one-hot', trajectory)[0].items()}
    change(state)
    torch.save(dict(model=state), tmp_path / 'theirs.pth')
    with pytest.raises(ValueError, match=rf'theirs\.pth: .*{message}'):
        convert_file(tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
    assert nothing_but(tmp_path / 'theirs.pth')
