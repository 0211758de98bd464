import json
import os

import cv2
import numpy as np
import pytest
import torch
from tiny_search import PixelEncoder, draw_crops

from mmtbps.registry import RERANKERS
from mmtbps.search import MetadataSource, Searcher

SENTENCE = 'a man in a red coat'


@pytest.fixture
def searcher(crops):
    searcher = Searcher(PixelEncoder())
    searcher.index(crops, num_workers=0, block_size=5, batch_size=2, progress=False)
    return searcher


def paths(results):
    return [result.path for result in results]


def plain_ranking(encoder, crops, sentence):
    files = sorted(crops.rglob('*.png'))
    scores = (encoder.encode_images(files) @ encoder.encode_texts([sentence])[0]).tolist()
    order = sorted(range(len(files)), key=lambda row: -scores[row])
    return [str(files[row]) for row in order], [scores[row] for row in order]


def test_a_negative_number_of_workers_is_refused_by_its_name(crops):
    with pytest.raises(ValueError, match='num_workers must be at least 0, got -1'):
        Searcher(PixelEncoder()).index(crops, num_workers=-1, progress=False)


def test_answers_are_ranked_by_cosine(searcher, crops):
    results = searcher.search(SENTENCE, topk=12)
    files, scores = plain_ranking(searcher.encoder, crops, SENTENCE)
    assert paths(results) == files
    assert [result.rank for result in results] == list(range(1, 13))
    torch.testing.assert_close([result.score for result in results], scores, atol=1e-6, rtol=0)
    assert results[0].score == results[0].cosine


def test_several_sentences_are_answered_in_order(searcher):
    sentences = [SENTENCE, 'a woman', 'a dog']
    assert searcher.search(sentences, topk=3) == [searcher.search(sentence, topk=3) for sentence in sentences]


def test_an_image_of_the_gallery_finds_itself_first(searcher, crops):
    path = crops / 'cam1' / 'p2_t10.png'
    results = searcher.search_by_image(path, topk=3)
    assert results[0].path == str(path)
    assert results[0].score == pytest.approx(1, abs=1e-6)
    assert {os.path.basename(result.path)[:2] for result in results} == {'p2'}
    assert searcher.search_by_image(cv2.imread(str(path)), topk=3) == results


def test_captions_are_ranked_for_an_image(searcher, crops):
    captions = ['a man', 'a woman', 'a dog', 'a man']
    path = crops / 'cam1' / 'p2_t10.png'
    image, texts = searcher.encoder.encode_images([path])[0], searcher.encoder.encode_texts(captions)
    results = searcher.rank_captions(path, captions, topk=3)
    expected = sorted(range(4), key=lambda number: (-float(texts[number] @ image), number))[:3]
    assert [result.caption for result in results] == [captions[number] for number in expected]
    assert results[0].score == pytest.approx(float(texts[expected[0]] @ image), abs=1e-6)


@pytest.mark.parametrize('name', ['NeighborJaccard', 'KReciprocal', 'QueryExpansion'])
def test_reranking_is_that_of_the_reranker(searcher, crops, name):
    files = sorted(crops.rglob('*.png'))
    gallery, query = searcher.encoder.encode_images(files), searcher.encoder.encode_texts([SENTENCE])
    similarity = RERANKERS.build(dict(type=name)).prepare(query, gallery)(torch.arange(1))[0]
    results = searcher.search(SENTENCE, topk=12, rerank=name)
    expected = similarity.sort(descending=True).values
    torch.testing.assert_close(torch.tensor([result.score for result in results]), expected, atol=1e-5, rtol=0)
    cosines = {result.path: result.cosine for result in searcher.search(SENTENCE, topk=12)}
    for result in results:
        assert result.score == pytest.approx(float(similarity[files.index(type(files[0])(result.path))]), abs=1e-5)
        assert result.cosine == cosines[result.path]


def test_min_score_may_leave_no_answer(searcher):
    results = searcher.search(SENTENCE, topk=12)
    assert searcher.search(SENTENCE, topk=12, min_score=results[4].score) == results[:5]
    assert searcher.search(SENTENCE, min_score=0.999) == []


def test_conditions_leave_only_images_that_meet_them(crops):
    searcher = Searcher(PixelEncoder())
    source = MetadataSource(pattern=r'p(?P<person>\d+)_t(?P<time>\d+)')
    searcher.index(crops, metadata=source, num_workers=0, progress=False)
    all_of_them = searcher.search(SENTENCE, topk=12)
    for where, holds in [
        ('folder = cam1', lambda metadata: metadata['folder'] == 'cam1'),
        (['time >= 10', 'person != 3'], lambda metadata: metadata['time'] >= 10 and metadata['person'] != 3),
        ({'person': [0, 2], 'time': 20}, lambda metadata: metadata['person'] in (0, 2) and metadata['time'] == 20),
    ]:
        expected = [result.path for result in all_of_them if holds(result.metadata)]
        assert paths(searcher.search(SENTENCE, topk=12, where=where)) == expected
        assert set(paths(searcher.search(SENTENCE, topk=12, where=where, rerank='NeighborJaccard'))) == set(expected)
    assert searcher.search(SENTENCE, where='time > 99', rerank='KReciprocal') == []
    with pytest.raises(ValueError, match="has the metadata 'camera'; there are: folder, person, time"):
        searcher.search(SENTENCE, where='camera = 1')


def test_indexing_again_encodes_only_what_is_new_or_changed(searcher, crops):
    encoder = searcher.encoder
    (crops / 'cam0' / 'p0_t0.png').unlink()
    cv2.imwrite(str(crops / 'cam0' / 'new.jpg'), np.full((20, 10, 3), 9, np.uint8))
    changed = crops / 'cam2' / 'p1_t20.png'
    cv2.imwrite(str(changed), np.full((21, 10, 3), 200, np.uint8))
    encoder.encoded = 0
    report = searcher.index(crops, num_workers=0, progress=False)
    assert encoder.encoded == 2
    assert (report.added, report.changed, report.unchanged, report.removed, report.total) == (1, 1, 10, 1, 12)
    assert set(paths(searcher.search(SENTENCE, topk=12))) == {str(path) for path in crops.rglob('*.*')}
    assert searcher.search_by_image(changed, topk=1)[0].cosine == pytest.approx(1, abs=1e-6)


def test_new_metadata_need_no_encoding_and_stay(searcher, crops, tmp_path):
    table = tmp_path / 'metadata.csv'
    table.write_text('path,camera\n' + ''.join(f'{path},c{path.parent.name[-1]}\n' for path in crops.rglob('*.png')))
    before = searcher.search(SENTENCE, topk=12)
    searcher.encoder.encoded = 0
    assert searcher.index(crops, metadata=MetadataSource(table), progress=False).changed == 12
    assert searcher.index(crops, progress=False).unchanged == 12
    assert searcher.encoder.encoded == 0
    found = searcher.search(SENTENCE, where='camera = c2')
    assert paths(found) == [result.path for result in before if 'cam2' in result.path]


@pytest.mark.parametrize(('before', 'after'), [(1.0, 1), (1, 1.0), (1, True), (0.0, -0.0), ('1', 1)])
def test_metadata_that_are_equal_to_python_alone_are_new(crops, tmp_path, before, after):
    table, searcher = tmp_path / 'facts.jsonl', Searcher(PixelEncoder())
    for value in (before, after):
        table.write_text(json.dumps(dict(path=str(crops / 'cam0' / 'p0_t0.png'), v=value)))
        report = searcher.index(crops, metadata=MetadataSource(table), num_workers=0, progress=False)
    assert report.changed == 1
    assert repr(searcher.search(SENTENCE, topk=1, where={'v': after})[0].metadata['v']) == repr(after)


def test_there_are_ten_images_or_as_many_as_asked_for_or_all(searcher, crops):
    assert len(searcher.search(SENTENCE)) == 10
    searcher.gallery.remove([crops / 'cam0'])
    assert len(searcher.search(SENTENCE)) == len(searcher.search_by_image(np.zeros((8, 4, 3), np.uint8))) == 8
    assert searcher.search(SENTENCE, topk=9) == searcher.search(SENTENCE)


def test_broken_images_are_skipped_and_listed(crops):
    (crops / 'cam0' / 'broken.jpg').write_bytes(b'no image')
    searcher = Searcher(PixelEncoder())
    report = searcher.index(crops, num_workers=2, batch_size=3, progress=False)
    assert [entry.image.path for entry in report.broken] == [str(crops / 'cam0' / 'broken.jpg')]
    assert (report.added, report.total) == (12, 12)
    assert 'broken.jpg: OSError' in str(report)
    (crops / 'cam0' / 'p0_t0.png').write_bytes(b'broken since')
    assert len(searcher.index(crops, num_workers=0, progress=False).broken) == 2
    assert len(searcher) == 11


def test_a_link_that_leads_nowhere_is_told_and_its_image_stays(searcher, crops):
    (crops / 'cam0' / 'link.png').symlink_to('nowhere.png')
    (crops / 'cam0' / 'p0_t0.png').unlink()
    (crops / 'cam0' / 'p0_t0.png').symlink_to('nowhere.png')
    report = searcher.index(crops, num_workers=0, progress=False)
    assert (report.broken, report.added, report.removed, report.total) == ([], 0, 0, 12)
    assert [f'not looked into: {crops}/cam0/{name} (a link that leads nowhere)' in str(report)
            for name in ('link.png', 'p0_t0.png')] == [True, True]  # fmt: skip


def test_a_list_says_nothing_of_other_images(searcher, crops, tmp_path):
    other = tmp_path / 'other.png'
    cv2.imwrite(str(other), np.full((20, 10, 3), 9, np.uint8))
    report = searcher.index([other, crops / 'cam0' / 'p0_t0.png'], num_workers=0, progress=False)
    assert (report.added, report.unchanged, report.removed, report.total) == (1, 1, 0, 13)


def test_images_are_taken_out_by_path_and_folder(searcher, crops):
    assert searcher.gallery.remove([crops / 'cam0', crops / 'cam1' / 'p0_t10.png']) == 5
    assert len(searcher.search(SENTENCE, topk=7)) == 7
    with pytest.raises(ValueError, match='cam0 is not in the gallery'):
        searcher.gallery.remove([crops / 'cam0'])


def test_a_folder_is_not_another_whose_name_begins_alike(crops):
    for name in ('cam', 'cam10'):
        draw_crops(crops / 'drawn', persons=1, cameras=1)
        (crops / 'drawn' / 'cam0').rename(crops / name)
    searcher = Searcher(PixelEncoder())
    assert searcher.index(crops, num_workers=0, progress=False).total == 14
    (crops / 'cam1' / 'p0_t10.png').unlink()
    report = searcher.index(crops / 'cam1', num_workers=0, progress=False)
    assert (report.unchanged, report.removed, report.total) == (3, 1, 13)
    assert searcher.gallery.remove([crops / 'cam1']) == 3
    assert searcher.index(crops / 'cam', num_workers=0, progress=False).total == len(searcher.gallery.store) == 10


def test_paths_with_dots_mean_the_same_images(searcher, crops, monkeypatch):
    (crops / 'cam0' / 'inner').mkdir()
    monkeypatch.chdir(crops / 'cam0' / 'inner')
    assert searcher.gallery.remove(['../p1_t0.png', '../../cam1', crops / 'cam0/../cam2/./p0_t20.png']) == 6
    report = searcher.index(['../p1_t0.png', '../../cam2/p0_t20.png'], num_workers=0, progress=False)
    assert (report.added, report.total) == (2, 8)
    found = paths(searcher.search(SENTENCE, topk=8, where='folder = cam0'))
    assert sorted(found) == sorted(str(path) for path in (crops / 'cam0').glob('*.png'))


def test_saved_gallery_answers_as_before(searcher, tmp_path):
    answer = searcher.search(SENTENCE, topk=12)
    searcher.gallery.remove([answer[3].path])
    searcher.save(tmp_path / 'index')
    searcher.gallery.remove([answer[5].path])
    loaded = Searcher.load(tmp_path / 'index')
    assert loaded.search(SENTENCE, topk=10) == searcher.search(SENTENCE, topk=10)
    assert paths(loaded.search(SENTENCE, topk=10)) == [answer[i].path for i in range(12) if i not in (3, 5)]
    assert isinstance(loaded.encoder, PixelEncoder)


def test_a_folder_is_gone_on_with(crops, tmp_path):
    Searcher(PixelEncoder()).index(crops / 'cam0', out=tmp_path / 'index', num_workers=0, progress=False)
    again = Searcher(PixelEncoder())
    report = again.index(crops, out=tmp_path / 'index', num_workers=0, progress=False)
    assert (report.added, report.unchanged, report.total) == (8, 4, 12)
    assert again.encoder.encoded == 8


def test_features_of_another_model_are_refused(searcher, crops, tmp_path):
    searcher.save(tmp_path / 'index')
    other = PixelEncoder(salt='2')
    with pytest.raises(ValueError, match='another model: weights differ'):
        Searcher.load(tmp_path / 'index', encoder=other)
    with pytest.raises(ValueError, match='another model: weights differ'):
        Searcher(other).index(crops, out=tmp_path / 'index', num_workers=0, progress=False)


def test_clear_errors(searcher, crops, tmp_path):
    with pytest.raises(ValueError, match=r'topk must be .* got 0'):
        searcher.search(SENTENCE, topk=0)
    with pytest.raises(ValueError, match='no word'):
        searcher.search(' . ')
    with pytest.raises(ValueError, match='min_score must be a number'):
        searcher.search(SENTENCE, min_score=float('nan'))
    with pytest.raises(TypeError, match='sentence 1 must be a string, got int'):
        searcher.search(['a man', 3])
    with pytest.raises(ValueError, match='gallery is empty'):
        Searcher(PixelEncoder()).search(SENTENCE)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'no image in the folder .*empty'):
        searcher.index(tmp_path / 'empty')
    with pytest.raises(FileNotFoundError, match=r'no folder or image .*nowhere'):
        searcher.index(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match=r'There is no gallery in .*empty'):
        Searcher.load(tmp_path / 'empty')
    searcher.save(tmp_path / 'index')
    with pytest.raises(FileExistsError, match='already holds a gallery'):
        Searcher(PixelEncoder()).save(tmp_path / 'index')
    (tmp_path / 'index' / 'features' / '000001.safetensors').write_bytes(b'cut')
    with pytest.raises(ValueError, match=r'000001.safetensors has 3 bytes instead of \d+'):
        Searcher.load(tmp_path / 'index')
    (tmp_path / 'index' / 'index.json').write_text('{')
    with pytest.raises(ValueError, match=r'index.json is damaged .* cannot be read as the manifest of a gallery'):
        Searcher.load(tmp_path / 'index')
