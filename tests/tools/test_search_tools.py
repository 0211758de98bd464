"""tools/search.py and tools/extract.py as a user calls them."""

import csv
import io
import json
import os
import re
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import pytest
import torch
from tiny_search import draw_crops, write_model

from mmtbps.cli import Command, mmtbps_app
from mmtbps.core.commands import told_in_a_paragraph

TOOLS = Path(__file__).parents[2] / 'tools'
SENTENCES = ['a man in a red coat', 'a woman with a bag']


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Images, config and checkpoint."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp('files')
    return draw_crops(root / 'crops'), *write_model(root / 'model')


@pytest.fixture
def run(capsys):
    """Run a tool in this process; returns what it printed."""

    def run(tool, *arguments, expected=0):
        main, code = runpy.run_path(str(TOOLS / tool))['main'], 0
        try:
            with told_in_a_paragraph(tool):
                main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        assert code == expected, captured.err
        return captured.err if expected else captured.out

    return run


@pytest.fixture
def index(files, run, tmp_path):
    crops, config, checkpoint = files
    model = ['--config', config, '--checkpoint', checkpoint]
    folder = tmp_path / 'index'
    metadata = ['--pattern', r'p(?P<person>\d)_t(?P<time>\d+)']
    assert '12 images in the gallery: 12 new' in run('search.py', 'index', crops, *model, '--out', folder, *metadata)
    return folder


def found(run, index, *arguments):
    return json.loads(run('search.py', 'query', index, *arguments, '--json'))


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--device', 'banana'], r'search\.py: device banana is none that torch knows\. Take cpu'),
        (['--device', 'cuda:77'], r'search\.py: device cuda:77 is not there: torch finds \d+ GPUs'),
        (
            ['--index-options', 'nope=3'],
            r"search\.py: The index ExactIndex has no argument 'nope'; known are chunk_size",
        ),
        (['--index-options', 'chunk_size=0'], r'search\.py: chunk_size must be at least 1, got 0'),
        (['--checkpoint', '{crops}/cam0/p0_t0.png'], r'search\.py: \S+p0_t0\.png cannot be read as a checkpoint'),
        (['--checkpoint', '{other}'], r'search\.py: \S+other\.pth does not fit'),
    ],
)
def test_a_wrong_option_is_no_fault_of_the_gallery(run, index, files, tmp_path, words, message):
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'other.pth')
    words = [word.format(crops=files[0], other=tmp_path / 'other.pth') for word in words]
    told = run('search.py', 'query', index, SENTENCES[0], *words, expected=2)
    assert re.match(message, told), told
    assert 'index.json' not in told


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--index', 'Nope'], r"There is no index 'Nope'; known are .*ExactIndex, FaissFlat"),
        (['--index', 'ExactIndex', '--index-options', 'nope=3'], "ExactIndex has no argument 'nope'"),
        (['--workers', '-1'], r'"-1" for "?--workers'),
    ],
)
def test_wrong_options_of_an_index_are_told_with_what_there_is(run, files, tmp_path, words, message):
    crops, config, checkpoint = files
    model = ['--config', config, '--checkpoint', checkpoint]
    told = run('search.py', 'index', crops, *model, '--out', tmp_path / 'new', *words, expected=2)
    assert re.search(message, told), told


def test_index_and_query(run, index, tmp_path):
    picture = tmp_path / 'shown' / 'answer.png'
    text = run('search.py', 'query', index, SENTENCES[0], '--topk', 3, '--show', picture)
    (answer,) = found(run, index, SENTENCES[0], '--topk', 3)
    assert answer['query'] == SENTENCES[0]
    lines = text.splitlines()
    assert lines[0] == SENTENCES[0]
    for line, result in zip(lines[1:], answer['results'], strict=True):
        rank, score, path = line.split()
        assert (int(rank), path) == (result['rank'], result['path'])
        assert float(score) == pytest.approx(result['score'], abs=1e-3)
    assert cv2.imread(str(picture)).shape[1] == 330


def test_verify(run, index):
    assert run('search.py', 'verify', index) == f'{index}: every file is as it was written\n'
    for file in sorted((index / 'features').iterdir()):
        file.write_bytes(file.read_bytes()[:-1] + b'x')
    told = run('search.py', 'verify', index, expected=2)
    assert told.count('its checksum differs') == len(list((index / 'features').iterdir()))


def test_words_that_say_nothing_are_named(index, capsys):
    main = runpy.run_path(str(TOOLS / 'search.py'))['main']
    main(['query', str(index), 'a yeti in a red zebra coat', 'a yeti'])
    assert capsys.readouterr().err == 'words that the model does not know: yeti, zebra\n'


class Typed(io.StringIO):
    """What is typed at a terminal."""

    def isatty(self):
        return True


def test_sentences_are_typed_one_after_the_other(index, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'stdin', Typed('a man in red\n{yeti}\na woman\n\nnever read\n'))
    runpy.run_path(str(TOOLS / 'search.py'))['main'](['query', str(index), '--topk', '1', '--where', 'person = 1'])
    out, err = capsys.readouterr()
    assert 'an empty line ends' in err
    assert 'of which the model knows no word' in err
    assert [line.strip('> ') for line in out.splitlines() if line.strip('> ') in ('a man in red', 'a woman')] == [
        'a man in red',
        'a woman',
    ]


def test_json_holds_what_is_not_known_of_each_sentence(run, index):
    known, odd = found(run, index, 'a man in red', 'a wmoan, ein Mann mit roter Tasche', '--topk', 1)
    assert (known['unknown_words'], known['warnings']) == ({}, [])
    assert odd['unknown_words'] == dict(wmoan='woman', ein='in', mann='man', mit=None, roter=None, tasche=None)
    assert 'does not know 6 of the 7 words' in odd['warnings'][0]


def test_suggestions_are_printed(index, capsys):
    runpy.run_path(str(TOOLS / 'search.py'))['main'](['query', str(index), 'a wmoan in red', '--topk', '1', '--json'])
    captured = capsys.readouterr()
    assert captured.err == 'words that the model does not know: wmoan (did you mean woman?)\n'
    json.loads(captured.out, parse_constant=pytest.fail)


def test_names_that_are_no_utf8_are_printed_and_written(files, run, tmp_path):
    crops, config, checkpoint = files
    folder = tmp_path / os.fsdecode(b'\xcd')
    shutil.copytree(crops / 'cam0', folder)
    (folder / 'p0_t0.png').rename(folder / os.fsdecode(b'\xd0\xd0_1.png'))
    model = ['--config', config, '--checkpoint', checkpoint]
    assert '4 new' in run('search.py', 'index', tmp_path, *model, '--out', tmp_path / 'index')
    table = tmp_path / 'a.csv'
    text = run('search.py', 'query', tmp_path / 'index', 'a man', '--out', table, '--show', tmp_path / 'a.png')
    written = [row['path'] for row in csv.DictReader(table.read_text(encoding='utf-8').splitlines())]
    (answer,) = found(run, tmp_path / 'index', 'a man')
    for shown in (text.split(), written, [result['path'] for result in answer['results']]):
        assert any(path.endswith('\\xcd/\\xd0\\xd0_1.png') for path in shown)
    named = {os.fsdecode(bytes.fromhex(result['path_hex'])) for result in answer['results']}
    assert named == {str(path) for path in folder.iterdir()}
    odd = folder / os.fsdecode(b'\xd0\xd0_1.png')
    assert 'xd0_1.png' in run('search.py', 'query', tmp_path / 'index', '--image', odd, '--show', tmp_path / 'b.png')


def test_an_address_is_no_image(files, run, index, tmp_path):
    _, config, checkpoint = files
    told = run('search.py', 'query', index, '--image', 'https://example.org/a.png', expected=2)
    assert told == (
        'search.py: https://example.org/a.png is an address, not a file: only files of this machine are read. '
        'Download it first.\n'
    )
    model = ['--config', config, '--checkpoint', checkpoint]
    told = run('search.py', 'index', 'https://example.org', *model, '--out', tmp_path / 'new', expected=2)
    assert 'is an address, not a file' in told


def test_a_table_about_one_of_several_folders(files, run, tmp_path):
    crops, config, checkpoint = files
    table = crops / 'facts.csv'
    table.write_text('path,camera\ncam1/p2_t10.png,c1\n')
    command = ['search.py', 'index', crops / 'cam0', crops / 'cam1', '--config', config, '--checkpoint', checkpoint]
    run(*command, '--out', tmp_path / 'new', '--metadata', table)
    (answer,) = found(run, tmp_path / 'new', 'a man', '--where', 'camera = c1')
    assert [Path(result['path']).name for result in answer['results']] == ['p2_t10.png']
    table.write_text('path,camera\nelsewhere.png,c1\n')
    told = run('search.py', 'index', crops, '--config', config, '--checkpoint', checkpoint,
               '--out', tmp_path / 'newer', '--metadata', table, expected=2)  # fmt: skip
    assert f'{table}: none of its 1 rows meets an image' in told
    told = run('extract.py', crops, '--config', config, '--checkpoint', checkpoint,
               '--out', tmp_path / 'shards', '--metadata', table, expected=2)  # fmt: skip
    assert 'none of its 1 rows meets an image' in told
    table.unlink()


def test_words_may_stand_before_and_behind_options():
    parse = Command(mmtbps_app(), 'search').parse
    for argv in (['I', 'a man', 'a woman', '--topk', '3'], ['I', '--topk', '3', 'a man', 'a woman'],
                 ['I', 'a man', '--topk', '3', 'a woman']):  # fmt: skip
        args = parse(['query', *argv]).arguments
        assert (args['gallery'], args['sentences'], args['topk']) == ('I', ('a man', 'a woman'), 3)
    assert parse(['index', '--out', 'I', 'crops', '--config', 'c', 'more']).arguments['images'] == ('crops', 'more')
    for argv in (['query', 'I', 'a man', '--top', '3', '--gpu'], ['remove', '--gpu', 'I', 'a.png']):
        with pytest.raises(ValueError, match=r'--top\b|--gpu'):
            parse(argv)


def test_conditions_and_min_score_and_reranking(run, index):
    (everything,) = found(run, index, SENTENCES[0], '--topk', 12)
    (some,) = found(run, index, SENTENCES[0], '--where', 'time >= 10', 'person = 2')
    expected = [result['path'] for result in everything['results'] if '/p2_t' in result['path']]
    assert [result['path'] for result in some['results']] == [path for path in expected if '_t0' not in path]
    assert 'no match' in run('search.py', 'query', index, SENTENCES[0], '--min-score', 1.5)
    (reranked,) = found(run, index, SENTENCES[0], '--rerank', 'NeighborJaccard')
    assert reranked['results'][0]['score'] > reranked['results'][0]['cosine']


def test_all_of_a_small_gallery_unless_told_otherwise(run, index, files):
    run('search.py', 'remove', index, *sorted(files[0].rglob('*.png'))[:9])
    (answer,) = found(run, index, SENTENCES[0])
    assert len(answer['results']) == 3


def test_weights_that_have_moved(run, files, tmp_path):
    crops, config, checkpoint = files
    shutil.copy(checkpoint, tmp_path / 'here.pth')
    gallery = tmp_path / 'gallery'
    run('search.py', 'index', crops, '--config', config, '--checkpoint', tmp_path / 'here.pth', '--out', gallery)
    (tmp_path / 'here.pth').rename(tmp_path / 'there.pth')
    error = run('search.py', 'query', gallery, SENTENCES[0], expected=2)
    assert 'here.pth. Give their new place (--checkpoint)' in error
    run('search.py', 'query', gallery, SENTENCES[0], '--checkpoint', tmp_path / 'there.pth')


def test_a_table_of_sentences_in_and_out(run, index, tmp_path):
    queries, out = tmp_path / 'queries.csv', tmp_path / 'out.csv'
    queries.write_text('id,sentence\n' + ''.join(f'{n},"{text}, yes"\n' for n, text in enumerate(SENTENCES)))
    answers = found(run, index, '--csv', queries, '--topk', 2, '--out', out, '--show', tmp_path / 'all.png')
    rows = list(csv.DictReader(out.open()))
    assert [(row['sentence'], int(row['rank']), row['path']) for row in rows] == [
        (answer['query'], result['rank'], result['path']) for answer in answers for result in answer['results']
    ]
    assert [answer['query'] for answer in answers] == [f'{text}, yes' for text in SENTENCES]
    assert (tmp_path / 'all_2.png').is_file()
    run('search.py', 'query', index, SENTENCES[0], '--min-score', 1.5, '--out', out, '--show', tmp_path / 'none.png')
    assert out.read_text().splitlines()[1] == f'{SENTENCES[0]},0,,,'
    assert not (tmp_path / 'none.png').exists()


def test_an_image_finds_itself_until_it_is_removed(run, index, files):
    path = files[0] / 'cam1' / 'p3_t10.png'
    (answer,) = found(run, index, '--image', path, '--topk', 12)
    # Images of one person look alike to an untrained model.
    scores = {result['path']: result['score'] for result in answer['results']}
    assert scores[str(path)] == pytest.approx(max(scores.values()), abs=1e-5)
    assert scores[str(path)] == pytest.approx(1, abs=1e-5)
    assert run('search.py', 'remove', index, path, files[0] / 'cam0') == '5 images removed, 7 left\n'
    (answer,) = found(run, index, '--image', path, '--topk', 7)
    assert str(path) not in [result['path'] for result in answer['results']]


def test_the_bar_is_for_terminals(files, tmp_path, capsys, monkeypatch):
    crops, config, checkpoint = map(str, files)
    main = runpy.run_path(str(TOOLS / 'extract.py'))['main']
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, 'isatty', lambda terminal=terminal: terminal)
        main([crops, '--config', config, '--checkpoint', checkpoint, '--out', str(tmp_path / f'shards_{terminal}')])
        assert ('/12' in capsys.readouterr().err) == terminal  # the last frames may come too fast to be drawn


def test_extracted_shards_make_the_same_index(run, index, files, tmp_path):
    crops, config, checkpoint = files
    arguments = ['--config', config, '--checkpoint', checkpoint, '--out', tmp_path / 'shards', '--shard-size', 5]
    assert run('extract.py', crops, *arguments) == '12 images in 3 shards, 0 broken images left out\n'
    kind = ['--index', 'FaissHNSW', '--index-options', 'neighbors=8']
    other = tmp_path / 'other'
    assert '12 new' in run('search.py', 'index', '--from-shards', tmp_path / 'shards', '--out', other, *kind)
    assert json.loads((other / 'index.json').read_text())['index'] == dict(type='FaissHNSW', neighbors=8)
    for one, two in zip(found(run, index, *SENTENCES), found(run, other, *SENTENCES), strict=True):
        assert [result['path'] for result in one['results']] == [result['path'] for result in two['results']]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['query', 'INDEX', SENTENCES[0], '--topk', 0], 'topk must be'),
        (['query', 'INDEX', ' '], 'no word'),
        (['query', 'INDEX', 'a man', 'yeti'], "sentence 1 is 'yeti', of which the model knows no word"),
        (['query', 'INDEX'], 'needs a sentence, --csv or --image'),
        (['query', 'EMPTY', SENTENCES[0]], 'There is no gallery in'),
        (['query', 'INDEX', SENTENCES[0], '--where', 'camera'], "'camera' is not a condition"),
        (['query', 'INDEX', SENTENCES[0], '--checkpoint', 'gone.pth'], 'There is no checkpoint gone.pth'),
        (['query', 'INDEX', SENTENCES[0], '--rerank', 'Jaccard'], 'known are KReciprocal, NeighborJaccard, Quer'),
        (['remove', 'INDEX', 'nowhere.png'], 'nowhere.png is not in the gallery'),
        (['index', 'EMPTY', '--config', 'CONFIG', '--checkpoint', 'CHECKPOINT', '--out', 'NEW'], 'no image in'),
        (['index', 'CROPS', '--out', 'NEW'], 'Name the model by --model NAME, or by --config and --checkpoint'),
        (['index', '--from-shards', 'EMPTY', '--out', 'NEW'], 'the extraction is not finished'),
    ],
)  # fmt: skip
def test_errors_are_one_line_that_helps(run, index, files, tmp_path, arguments, message):
    (tmp_path / 'empty').mkdir()
    places = dict(INDEX=index, EMPTY=tmp_path / 'empty', NEW=tmp_path / 'new')
    places.update(zip(('CROPS', 'CONFIG', 'CHECKPOINT'), files, strict=True))
    error = run('search.py', *(places.get(argument, argument) for argument in arguments), expected=2)
    assert message in error
    assert error.startswith('search.py: ')
    assert 'Traceback' not in error
