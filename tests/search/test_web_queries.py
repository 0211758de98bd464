"""Queries of the web page with all their options: filters, least scores, links, uploaded images."""

import cv2
import numpy as np
import pytest
from odd_images import claim_size
from tiny_search import PixelEncoder

from mmtbps.search import MetadataSource, Searcher, SearchResult
from mmtbps.search.filters import split_where
from mmtbps.search.web import Galleries, Query, UploadLimits
from mmtbps.search.web.hits import make_hit, shorten, show_path

HOSTILE = '"><script>alert(1)</script>&sentence=x#?%00 ' + 'ü🙂'


@pytest.fixture
def searcher(crops, tmp_path):
    searcher = Searcher(PixelEncoder())
    metadata = MetadataSource(pattern=r'(?P<camera>cam\d)/p(?P<person_id>\d)_t(?P<time>\d+)')
    searcher.index(crops, tmp_path / 'index', metadata, num_workers=0, progress=False)
    return searcher


@pytest.fixture
def galleries(searcher):
    return Galleries(dict(one=searcher))


@pytest.mark.parametrize(
    ('text', 'conditions'),
    [
        ('', []),
        (' , ,', []),
        ('camera = c1, time >= 10', ['camera = c1', 'time >= 10']),
        ('camera = c1 ,time>=10,', ['camera = c1', 'time>=10']),
        ('owner = "Smith, John", a = 1', ['owner = Smith, John', 'a = 1']),
        ('owner = "Smith ", a = ""', ['owner = Smith ', 'a = ']),
        ('owner = "Smith, a = 1', ['owner = "Smith', 'a = 1']),
        ('owner = "Smith" "John"', ['owner = "Smith" "John"']),
    ],
)
def test_conditions_in_a_line(text, conditions):
    assert split_where(text) == conditions


def test_filter_and_least_score_are_those_of_the_searcher(galleries, searcher):
    answer = galleries.ask(Query('a man', where='camera = cam1, time >= 10', least_score=-0.2, images=60))
    expected = [
        result
        for result in searcher.search('a man', 12)
        if result.metadata['camera'] == 'cam1' and result.metadata['time'] >= 10 and result.cosine >= -0.2
    ]
    assert 0 < len(expected) < 12
    assert [hit.path for hit in answer.hits] == [result.path for result in expected]
    assert answer.message.split('\n') == [
        f'The best {len(expected)} of 12 images for: a man',
        'filter camera = cam1, time >= 10 · least score -0.2',
    ]
    path = searcher.gallery.store.paths()[0]
    like = galleries.by_image('one', path, 12, None, 'camera != cam0', 0.1)
    assert like.hits
    assert {hit.result.metadata['camera'] for hit in like.hits} <= {'cam1', 'cam2'}
    assert like.message.endswith('\nfilter camera != cam0 · least score 0.1')


def test_what_nothing_meets_is_said(galleries):
    answer = galleries.ask(Query('a man', where='time > 100'))
    assert (answer.failed, list(answer.hits)) == (False, [])
    assert answer.message == 'No image was found for: a man\nfilter time > 100'


@pytest.mark.parametrize(
    ('query', 'told'),
    [
        (dict(where='camera'), "'camera' is not a condition; write one such as 'camera = c1' or 'time >= 1200'."),
        (dict(where='camra = 1'), "No image of the gallery has the metadata 'camra'; there are: camera, folder"),
        (dict(where='a = 1,' * 300), 'The filter has 1800 characters; shorten it to at most 1000.'),
        (dict(where=7), 'where must be text, got 7.'),
        (dict(sentence=None), 'sentence must be text, got None.'),
        (dict(gallery='two'), "gallery must be one of one, got 'two'."),
        (
            dict(rerank='Nobody'),
            "rerank must be one of KReciprocal, NeighborJaccard, QueryExpansion, or nothing, got 'Nob",
        ),
        (dict(images=0), 'images must be a whole number from 1 to 60, got 0.'),
        (dict(images=1.5), 'images must be a whole number from 1 to 60, got 1.5.'),
        (dict(images=True), 'images must be a whole number from 1 to 60, got True.'),
        (dict(images='many'), "images must be a whole number from 1 to 60, got 'many'."),
        (dict(images=10**400), 'images must be a whole number from 1 to 60, got 1000'),
        (dict(least_score=1.5), 'least_score must be a number from -1 to 1, got 1.5.'),
        (dict(least_score=float('nan')), 'least_score must be a number from -1 to 1, got nan.'),
        (dict(least_score='high'), "least_score must be a number from -1 to 1, got 'high'."),
    ],
)
def test_mistakes_are_told_in_a_sentence(galleries, query, told):
    answer = galleries.ask(Query(**{'sentence': 'a man', **query}))
    assert answer.failed
    assert told in answer.message
    assert '\n' not in answer.message
    assert not answer.hits


@pytest.mark.parametrize(
    'query',
    [
        Query(),
        Query('a man in red'),
        Query(HOSTILE, HOSTILE, 60, HOSTILE, -0.25, HOSTILE),
        Query('ü' * 1000, where='🙂' * 1000),
    ],
)
def test_a_link_carries_the_query(query):
    assert Query.from_link(query.link) == query
    assert not set(query.link) & set('"<> #')


def test_what_is_usual_is_not_in_a_link():
    assert Query().link == ''
    assert Query('a man', least_score=0.0, images=3).link == '?sentence=a+man&images=3&least_score=0.0'


def test_other_parameters_are_left_alone_and_wrong_ones_named(galleries):
    assert Query.from_link('?__theme=dark&utm=1&sentence=red&images=5') == Query('red', images=5)
    assert "got 'x'" in galleries.ask(Query.from_link('?sentence=red&images=x')).message
    assert "got 'y'" in galleries.ask(Query.from_link('?sentence=red&least_score=y')).message
    with pytest.raises(ValueError, match='The link has 20010 characters'):
        Query.from_link('?sentence=' + 'x' * 20000)
    with pytest.raises(ValueError, match='more than 50 parameters; leave some out'):
        Query.from_link('?' + 'a=1&' * 60)


def test_an_uploaded_image_is_a_query_and_stays_nowhere(searcher, tmp_path):
    galleries = Galleries(dict(one=searcher), UploadLimits(megapixels=1))
    picture = cv2.imread(searcher.gallery.store.paths()[5])
    cv2.imwrite(str(tmp_path / 'mine.png'), cv2.resize(picture, None, fx=20, fy=20, interpolation=cv2.INTER_NEAREST))
    before = sorted(tmp_path.rglob('*'))
    answer = galleries.by_upload(Query(images=3, where='time <= 20'), tmp_path / 'mine.png')
    assert answer.message == 'The best 3 of 12 images like your image mine.png\nfilter time <= 20'
    assert answer.hits[0].path == searcher.gallery.store.paths()[5]
    assert answer.query.shape == (384, 179, 3)
    assert sorted(tmp_path.rglob('*')) == before
    assert len(searcher) == 12


def test_an_uploaded_query_is_checked_as_other_uploads(searcher, tmp_path):
    galleries = Galleries(dict(one=searcher), UploadLimits(megapixels=1))
    (tmp_path / 'text.png').write_text('none', encoding='utf-8')
    told = galleries.by_upload(Query(), tmp_path / 'text.png')
    assert (told.failed, told.message[:44]) == (True, 'text.png is not an image of an accepted type')
    told = galleries.by_upload(Query(), claim_size(tmp_path / 'wide.png', 2000, 1000))
    assert told.message == 'wide.png: it has 2000 x 1000 pixels, above 1 megapixels.'
    assert 'got 99' in galleries.by_upload(Query(images=99), searcher.gallery.store.paths()[0]).message
    read_only = Galleries(dict(one=searcher)).by_upload(Query(), searcher.gallery.store.paths()[0])
    assert (read_only.failed, read_only.message) == (True, 'Images cannot be uploaded to this page.')


def test_an_example_of_a_filter_is_one(galleries, searcher, crops):
    example = galleries.example_filter()
    assert example == 'camera = cam1, person_id >= 2'
    assert galleries.ask(Query('a man', where=example)).hits
    bare = Searcher(PixelEncoder())
    bare.index(crops / 'cam0', num_workers=0, progress=False)
    assert Galleries(dict(one=bare)).example_filter() == ''
    (crops / 'facts.csv').write_text('path,"camera, id",no-1\n' + ''.join(f'cam0/p{n}_t0.png,c1,7\n' for n in range(4)))
    bare.index(crops / 'cam0', metadata=MetadataSource(crops / 'facts.csv'), num_workers=0, progress=False)
    example = Galleries(dict(one=bare)).example_filter()
    assert example == '"camera, id" = c1, no-1 >= 7'
    assert len(Galleries(dict(one=bare)).ask(Query('a man', where=example)).hits) == 4


def test_captions_tell_file_and_metadata(tmp_path):
    searcher = Searcher(PixelEncoder())
    path = tmp_path / f'{"long" * 20}_0815.png'
    cv2.imwrite(str(path), np.zeros((30, 14, 3), np.uint8))
    pattern = r'(?P<a>long)(?P<b>(long)+)(?P<person_id>_\d+)(?P<d>.)(?P<e>png)'
    searcher.index(tmp_path, metadata=MetadataSource(pattern=pattern), num_workers=0, progress=False)
    (hit,) = Galleries(dict(one=searcher)).ask(Query('a man')).hits
    assert hit.caption.split('\n')[1:] == [
        'longlon…onglong_0815.png',
        'person_id _0815',
        'a long',
        'b longlon…longlonglonglong',
        'd .',
    ]


def test_a_place_of_the_machine_is_not_shown(tmp_path):
    result = SearchResult(1, str(tmp_path / 'a.png'), 0.5, 0.5, dict(source=str(tmp_path / 'street.mp4'), time=3))
    hit = make_hit(result)
    assert dict(hit.result.metadata) == dict(source='street.mp4', time=3)
    assert str(tmp_path) not in hit.caption


@pytest.mark.parametrize('port', [0, -1, 99999])
def test_a_port_that_is_none(port):
    server = pytest.importorskip('mmtbps.search.web.server')
    with (
        pytest.raises(ValueError, match=f'port must be between 1 and 65535, got {port}'),
        server._told_of_port('x', port),
    ):
        pass


def test_a_port_that_is_taken():
    server = pytest.importorskip('mmtbps.search.web.server')
    with pytest.raises(OSError, match=r'Port 7917 of x is in use\. Name another one'), server._told_of_port('x', 7917):
        raise OSError('Cannot find empty port in range: 7917-7917.')


def test_names_are_shortened_in_the_middle():
    assert shorten('x' * 24) == 'x' * 24
    assert shorten('begin' + 'x' * 100 + 'end.png', 16) == 'begin…xxxend.png'
    assert shorten('\udcd0.png') == '\\xd0.png'


def test_paths_of_the_machine_are_not_shown(galleries, searcher, crops):
    shown = [show_path(result) for result in galleries.ask(Query('a man', images=60)).results]
    assert sorted(shown) == sorted(str(path.relative_to(crops)) for path in crops.rglob('*.png'))
