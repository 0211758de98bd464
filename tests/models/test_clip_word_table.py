import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.transformer import TextTransformer
from safetensors.torch import save_file
from tiny_clip import TEXT_ARCH, save_weights, tiny_clip
from torch import nn

from mmtbps.datasets import CLIPTokenizer, WordTableTokenizer
from mmtbps.datasets.vocabulary import collect_words
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.engine import DatasetMetaHook
from mmtbps.models import CLIPWordVectorizer, SentenceTransformerWordVectorizer, WordTable
from mmtbps.registry import DATASETS, MODELS

WORDS = ['red', 'a', 'turquoise', 'tshirt', 'rucksack', 'grün', 'xzqwvutsrqp']
TOOL = Path(__file__).parents[2] / 'tools/dataset_tools/build_word_table.py'


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return str(save_weights(tiny_clip(), tmp_path_factory.mktemp('clip') / 'tiny.pt'))


@pytest.fixture
def encoder_cfg(weights):
    return dict(type='CLIPWordVectorizer', checkpoint=weights, arch=TEXT_ARCH)


@pytest.fixture
def table(tmp_path, encoder_cfg):
    path = tmp_path / 'words.npz'
    MODELS.build(encoder_cfg).build_table(WORDS).save(path)
    return str(path)


def run_tool(*args):
    spec = importlib.util.spec_from_file_location('build_word_table', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(arg) for arg in args])


@pytest.fixture
def toy_data(tmp_path):
    """Annotation without images: words are all that is read."""
    entries = [
        dict(split='train', id=1, file_path='a.png', captions=['A red t-shirt.', 'red']),
        dict(split='test', id=2, file_path='b.png', captions=['A turquoise rucksack.']),
    ]
    (tmp_path / 'reid_raw.json').write_text(json.dumps(entries))
    return tmp_path


def whole_context(words, length):
    """Tokens of the words as open_clip's own towers take them, padded to the whole context."""
    rows = [torch.tensor(CLIPTokenizer(length).encode(word)) for word in words]
    return torch.stack([nn.functional.pad(row, (0, length - len(row))) for row in rows])


@pytest.mark.parametrize('batch_size', [1, 2, 256])
def test_vectors_are_those_of_open_clip_on_the_whole_context(encoder_cfg, batch_size, capsys):
    encoder = MODELS.build(dict(encoder_cfg, batch_size=batch_size))
    with torch.no_grad():
        expected = tiny_clip().encode_text(whole_context(WORDS, 20))

    torch.testing.assert_close(encoder.encode(WORDS, progress=True), expected, atol=1e-5, rtol=1e-5)
    assert capsys.readouterr().err == ''  # no terminal, no bar
    assert encoder.encode([]).shape[0] == 0


def test_a_tower_of_the_size_of_vit_b_32(tmp_path):
    torch.manual_seed(0)
    whole = TextTransformer().eval()
    path = tmp_path / 'vit-b-32.safetensors'
    save_file(whole.state_dict(), path)
    encoder = CLIPWordVectorizer(str(path), 'ViT-B-32')
    path.unlink()  # a quarter of a gigabyte
    with torch.no_grad():
        expected = whole(whole_context(WORDS, 77))

    torch.testing.assert_close(encoder.encode(WORDS), expected, atol=1e-5, rtol=0)


def test_the_hash_follows_the_weights_not_the_file(tmp_path, weights):
    same = CLIPWordVectorizer(str(save_weights(tiny_clip(), tmp_path / 'a.safetensors')), TEXT_ARCH)
    other = CLIPWordVectorizer(str(save_weights(tiny_clip(seed=1), tmp_path / 'b.pt')), TEXT_ARCH)
    quick = CLIPWordVectorizer(weights, TEXT_ARCH, quick_gelu=True)

    assert len({CLIPWordVectorizer(weights, TEXT_ARCH).hash, same.hash}) == 1
    assert len({same.hash, other.hash, quick.hash}) == 3


def test_a_sentence_transformer_folder(tmp_path, monkeypatch):
    class SentenceTransformer(nn.Module):
        """Stands for the optional package's class."""

        def __init__(self, folder, device, local_files_only):
            super().__init__()
            assert local_files_only
            self.embedding = nn.Embedding(30, 4)

        def encode(self, sentences, batch_size, convert_to_tensor, show_progress_bar):
            return self.embedding(torch.tensor([len(sentence) for sentence in sentences]))

    with pytest.raises(FileNotFoundError, match='no folder'):
        SentenceTransformerWordVectorizer(str(tmp_path / 'none'))
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    with pytest.raises(ImportError, match='pip install sentence-transformers'):
        SentenceTransformerWordVectorizer(str(tmp_path))
    module = types.SimpleNamespace(SentenceTransformer=SentenceTransformer)
    monkeypatch.setitem(sys.modules, 'sentence_transformers', module)
    encoder = SentenceTransformerWordVectorizer(str(tmp_path), batch_size=2, scale=2.0)
    vectors = encoder.build_table(WORDS).vectors

    assert torch.equal(vectors, 2 * encoder.network.embedding.weight[[len(word) for word in WORDS]])
    assert encoder.name == f'sentence-transformers {tmp_path.name}'


@pytest.mark.parametrize('suffix', ['.npz', '.safetensors'])
def test_the_tool_covers_every_split_of_several_sets(tmp_path, toy_data, weights, suffix):
    out = tmp_path / f'out{suffix}'
    config = tmp_path / 'config.py'
    config.write_text(
        f"""
default_scope = 'mmtbps'
data = dict(type='CUHKPEDES', data_root={str(toy_data)!r}, split='test', test_mode=True)
test_dataloader = dict(dataset=data)
"""
    )
    encoder = CLIPWordVectorizer(weights, TEXT_ARCH)
    sizes = tmp_path / 'open_clip_config.json'
    text_cfg = {key: value for key, value in TEXT_ARCH.items() if key != 'embed_dim'}
    sizes.write_text(json.dumps(dict(model_cfg=dict(embed_dim=TEXT_ARCH['embed_dim'], text_cfg=text_cfg))))
    run_tool(out, config, f'CUHKPEDES={toy_data}', '--clip', weights, '--arch', sizes)
    table = WordVectors.load(out)

    assert list(table.words) == ['a', 'red', 'rucksack', 'tshirt', 'turquoise']
    torch.testing.assert_close(table.vectors, encoder.encode(table.words))
    assert table.encoder_hash == encoder.hash
    assert table.encoder == 'CLIP text tower tiny.pt'


def test_the_tool_converts_a_plain_array(tmp_path):
    np.save(tmp_path / 'clip_vocab_vit.npy', np.eye(2, dtype=np.float32))
    (tmp_path / 'words.txt').write_text('man\nred\n')
    run_tool(tmp_path / 'out.npz', '--array', tmp_path / 'clip_vocab_vit.npy', '--words', tmp_path / 'words.txt')

    assert list(WordVectors.load(tmp_path / 'out.npz').words) == ['man', 'red']


@pytest.mark.parametrize(
    'args', [['out.npz', '--clip', 'openai'], ['out.npz', '--array', 'a.npy'], ['out.npz', 'a.py']]
)
def test_the_tool_refuses_half_a_command(args, capsys):
    with pytest.raises(SystemExit):
        run_tool(*args)
    assert 'error' in capsys.readouterr().err


def test_words_of_chosen_splits(toy_data):
    dataset = DATASETS.build(dict(type='mmtbps.CUHKPEDES', data_root=str(toy_data), lazy_init=True))

    assert collect_words([dataset], ['train']) == ['red', 'a', 'tshirt']
    with pytest.raises(ValueError, match='no word in the splits'):
        collect_words([dataset], ['val'])


VOCABULARY = ['<pad>', '<unk>', 'turquoise', 'red', 'notinthetable']


def test_rows_follow_the_vocabulary(table):
    source = WordVectors.load(table)
    layer = WordTable(len(VOCABULARY), table, embed_dims=16)
    layer.set_words(VOCABULARY)
    rows = layer(torch.arange(5)[None], torch.tensor([5]))[0]

    assert not layer.table.weight.requires_grad
    assert torch.equal(rows[0], torch.zeros(16))
    assert torch.equal(rows[2:4], source.vectors[[2, 0]])
    torch.testing.assert_close(rows[1], source.vectors.mean(0))
    assert torch.equal(rows[4], rows[1])


def test_missing_words_are_encoded_when_the_encoder_is_at_hand(table, encoder_cfg):
    layer = WordTable(len(VOCABULARY), table, embed_dims=16, encoder=encoder_cfg)
    layer.set_words(VOCABULARY)

    torch.testing.assert_close(layer.table.weight[4], MODELS.build(encoder_cfg).encode(['notinthetable'])[0])
    # The encoder does not travel with the model.
    assert set(layer.state_dict()) == {'table.weight'}


def test_an_encoder_other_than_the_table_s_is_an_error(tmp_path, table):
    other = str(save_weights(tiny_clip(seed=1), tmp_path / 'other.pt'))
    cfg = dict(type='CLIPWordVectorizer', checkpoint=other, arch=TEXT_ARCH)

    with pytest.raises(ValueError, match='made by another encoder'):
        WordTable(5, table, embed_dims=16, encoder=cfg).set_words(VOCABULARY)


def test_the_table_s_own_unknown_word_is_used(tmp_path):
    path = tmp_path / 'a.npz'
    WordVectors(['<unk>', 'red'], torch.tensor([[5.0], [1.0]])).save(path)
    layer = WordTable(4, str(path), embed_dims=1)
    layer.set_words(['<pad>', '<unk>', 'red', 'blue'])

    assert layer.table.weight.flatten().tolist() == [0, 5, 1, 5]


def test_a_trained_table_keeps_its_padding(table):
    layer = WordTable(5, table, embed_dims=16, frozen=False)
    layer.set_words(VOCABULARY)
    layer(torch.tensor([[2, 0]]), torch.tensor([1])).sum().backward()

    assert layer.table.weight.grad[2].eq(1).all()
    assert layer.table.weight.grad[[0, 1, 3, 4]].eq(0).all()


def test_a_checkpoint_replaces_the_file(tmp_path, table):
    layer = WordTable(5, table, embed_dims=16)
    with pytest.raises(RuntimeError, match='DatasetMetaHook'):
        layer(torch.tensor([[2]]), torch.tensor([1]))
    layer.set_words(VOCABULARY)
    test_time = WordTable(5, str(tmp_path / 'gone.npz'), embed_dims=16)
    test_time.load_state_dict(layer.state_dict())

    assert torch.equal(test_time(torch.tensor([[4, 2]]), torch.tensor([2])), layer.table.weight[[4, 2]][None])
    with pytest.raises(FileNotFoundError, match=r'gone\.npz'):
        WordTable(5, str(tmp_path / 'gone.npz'), embed_dims=16).set_words(VOCABULARY)


def test_rows_that_were_trained_stay(table):
    # A test after training starts with the same hook as the training did.
    layer = WordTable(5, table, embed_dims=16, frozen=False)
    layer.set_words(VOCABULARY)
    with torch.no_grad():
        layer.table.weight.add_(1)
    trained = layer.table.weight.clone()
    layer.set_words(VOCABULARY)

    assert torch.equal(layer.table.weight, trained)


@pytest.mark.parametrize('kwargs', [dict(vocab_size=4), dict(embed_dims=8)])
def test_sizes_that_do_not_fit(table, kwargs):
    with pytest.raises(ValueError, match=r'vocabulary has 5 words and .* vectors of 16'):
        WordTable(**{**dict(vocab_size=5, table=table, embed_dims=16), **kwargs}).set_words(VOCABULARY)


def test_a_tokenizer_knows_the_table_s_words(table):
    tokenizer = WordTableTokenizer(table)
    tokenizer.fit(['red shoes, red'])

    # 'grün' and the rest come in the table's order; nothing that tokenize() never makes has an id.
    assert tokenizer.vocabulary == [
        '<pad>', '<unk>', 'red', 'shoes', 'a', 'turquoise', 'tshirt', 'rucksack', 'grün', 'xzqwvutsrqp',
    ]  # fmt: skip
    assert tokenizer.encode('A turquoise hat') == [4, 5, 1]
    WordVectors(['t-shirt', '<unk>', 'Red', 'hat'], torch.ones(4, 1)).save(table)
    other = WordTableTokenizer(table)
    other.fit(['red'])
    assert other.vocabulary == ['<pad>', '<unk>', 'red', 'hat']


def test_the_hook_hands_the_words_on():
    class Model(nn.Module):
        def set_words(self, words):
            self.words = words

    metainfo = dict(vocabulary=VOCABULARY)
    loop = types.SimpleNamespace(dataloader=types.SimpleNamespace(dataset=types.SimpleNamespace(metainfo=metainfo)))
    model = nn.Sequential(nn.Linear(1, 1), Model())
    runner = types.SimpleNamespace(model=model, _train_loop=loop, _val_loop=None, _test_loop=None)
    DatasetMetaHook().before_run(runner)

    assert model[1].words == VOCABULARY
