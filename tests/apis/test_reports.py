"""Reports: what is written agrees with plain ranking, is read again, and is compared."""

import base64
import csv
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
import torch
from tiny_features import make_features

from mmtbps.apis.reports.comparison import compare_reports, format_comparison
from mmtbps.apis.reports.files import load_report, save_queries
from mmtbps.apis.reports.writer import worst_queries, write_report
from mmtbps.evaluation import NeighborJaccard, functional
from mmtbps.evaluation.directions import score_directions
from mmtbps.evaluation.functional import QueryScores


@pytest.fixture
def features(tmp_path):
    return make_features(tmp_path, noise=2.0)


def plain_first_ranks(features):
    unit = torch.nn.functional.normalize
    similarity = (unit(features.text_feats) @ unit(features.image_feats).T).numpy()
    ranks = []
    for own, row in zip(features.text_images, similarity, strict=True):
        order = np.argsort(-row, kind='stable')
        ranks.append(1 + int(np.argmax(features.image_pids.numpy()[order] == int(features.image_pids[own]))))
    return ranks


def test_figures_and_queries_are_those_of_plain_ranking(features, tmp_path):
    returned = write_report(features, tmp_path / 'r', [NeighborJaccard(k=2)], topk=(1, 3))
    report = load_report(tmp_path / 'r')
    assert report.figures == returned
    assert list(report.figures) == list(report.queries) == ['t2i', 't2i+jaccard', 'i2t', 'i2t+jaccard']
    assert report.figures['t2i'] == functional.rank_features(*features.directions()['t2i'], topk=(1, 3))
    queries = report.queries['t2i']
    assert queries['first_rank'].tolist() == plain_first_ranks(features)
    assert queries['caption'].tolist() == features.captions
    assert queries['image'].tolist() == [features.image_paths[image] for image in features.text_images]
    assert 100 * queries['average_precision'].mean() == pytest.approx(report.figures['t2i']['mAP'])
    described = sorted(set(features.text_images.tolist()))
    assert report.queries['i2t']['image'].tolist() == [features.image_paths[image] for image in described]
    content = json.loads((tmp_path / 'r' / 'figures.json').read_text())
    assert content['meta']['checkpoint'] == 'tiny.pth'
    assert content['counts'] == dict(images=12, captions=12, persons=4)


def test_pictures_are_pictures(features, tmp_path):
    write_report(features, tmp_path)
    for name in ('cmc.png', 'similarities.png'):
        picture = cv2.imread(str(tmp_path / name))
        assert min(picture.shape[:2]) > 300
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


class Page(HTMLParser):
    """Collects the cards of the page."""

    def __init__(self, text):
        super().__init__()
        self.cards, self.open, self.figure, self.outside = [], None, None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.outside += [value for key, value in attributes if key in ('src', 'href') and not value.startswith('data:')]
        if tag == 'section':
            self.cards.append(dict(text='', images=[]))
        if tag == 'figure':
            self.figure = values['class']
        if tag == 'img':
            self.cards[-1]['images'].append((self.figure, values['src']))
        self.open = tag

    def handle_data(self, data):
        if self.cards and self.open in ('h2', 'span'):
            self.cards[-1]['text'] += data

    def handle_endtag(self, tag):
        self.open = 'h2' if tag == 'span' else None


def test_page_shows_the_worst_queries_and_needs_nothing_else(features, tmp_path):
    write_report(features, tmp_path)
    text = (tmp_path / 'worst_queries.html').read_text()
    page = Page(text)
    assert not page.outside
    assert '<script' not in text
    assert not re.search(r'url\(|@import', text)
    ranks = plain_first_ranks(features)
    shown = [int(re.match(r'rank (\d+)', card['text']).group(1)) for card in page.cards]
    assert shown == sorted(ranks, reverse=True)[:50]
    for card, rank in zip(page.cards, shown, strict=True):
        kinds = [kind for kind, _ in card['images']]
        assert kinds[0] == 'own'
        assert len(kinds) == 11
        assert [*kinds[1:], 'match'].index('match') + 1 == min(rank, 11)
        caption = re.sub(r'^rank \d+', '', card['text'])
        own = int(features.text_images[features.captions.index(caption)])
        data = base64.b64decode(card['images'][0][1].split(',')[1])
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert abs(float(pixels.mean()) - 20 * own) < 3


def test_worst_queries_order():
    scores = QueryScores(torch.tensor([3, 0, 9, 3, 1]), torch.tensor([0.3, 0.0, 0.1, 0.2, 1.0]), torch.zeros(5))
    assert worst_queries(scores, 3) == [2, 3, 0]
    assert worst_queries(scores, 50) == [2, 3, 0, 4]


def test_half_a_character_does_not_stop_a_report(features, tmp_path):
    captions = ['a lone surrogate \ud83d', 'two\nlines, "quoted"', *features.captions[2:]]
    write_report(features._replace(captions=captions), tmp_path)
    found = load_report(tmp_path).queries['t2i']['caption'].tolist()
    assert found[1:] == captions[1:]
    assert found[0].startswith('a lone surrogate')


def test_no_cell_of_a_report_is_a_formula(features, tmp_path):
    captions = ['=1+1 man', ' @man', "'=man", *features.captions[3:]]
    paths = [f'-{path}' for path in features.image_paths]
    scores = score_directions(features.directions(), [])
    save_queries(tmp_path, features._replace(captions=captions, image_paths=paths), scores)
    with (tmp_path / 'queries.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['caption'] for row in rows[:3]] == ["'=1+1 man", "' @man", "'=man"]
    assert all(row['image'].startswith("'-") for row in rows)


def test_missing_image_is_named(features, tmp_path):
    paths = ['nowhere/1.png'] * len(features.image_paths)
    with pytest.raises(FileNotFoundError, match=r'nowhere/1\.png.*same folder'):
        write_report(features._replace(image_paths=paths), tmp_path)


def test_comparison_counts_what_changed(tmp_path):
    one, other = make_features(tmp_path, noise=2.0), make_features(tmp_path, noise=1.0, seed=4)
    for name, features in (('a', one), ('b', other)):
        write_report(features, tmp_path / name)
    t2i, _ = compare_reports(load_report(tmp_path / 'a'), load_report(tmp_path / 'b'), samples=200, changes=3)
    before, after = plain_first_ranks(one), plain_first_ranks(other)
    pairs = list(zip(before, after, strict=True))
    assert t2i.gained == sum(a > 1 and b == 1 for a, b in pairs) > 0
    assert t2i.lost == sum(a == 1 and b > 1 for a, b in pairs)
    a, b, (low, high) = t2i.figures['R@1']
    assert b - a == pytest.approx(100 * (t2i.gained - t2i.lost) / len(pairs))
    assert low <= b - a <= high
    assert t2i.figures['mINP'][2] is None
    assert t2i.changes[0].before / t2i.changes[0].after == max(a / b for a, b in pairs)
    assert all(pairs[one.captions.index(c.query)] == (c.before, c.after) for c in t2i.changes)
    text = format_comparison(t2i)
    assert f'only in B for {t2i.gained} queries, only in A for {t2i.lost}' in text
    assert f'{b - a:+.2f}' in text


def test_a_report_equals_itself(features, tmp_path):
    write_report(features, tmp_path)
    report = load_report(tmp_path)
    for comparison in compare_reports(report, report, samples=20):
        assert (comparison.gained, comparison.lost, comparison.changes) == (0, 0, [])
        assert comparison.figures['mAP'][2] == (0, 0)


def test_reports_about_different_data_are_not_compared(features, tmp_path):
    write_report(features, tmp_path / 'a')
    write_report(features._replace(captions=features.captions[::-1]), tmp_path / 'b')
    with pytest.raises(ValueError, match='different data: There test'):
        compare_reports(load_report(tmp_path / 'a'), load_report(tmp_path / 'b'))


def test_broken_reports_are_named(features, tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a report'):
        load_report(tmp_path)
    write_report(features, tmp_path)
    lines = (tmp_path / 'queries.csv').read_text().splitlines()
    (tmp_path / 'queries.csv').write_text('\n'.join([*lines[:-1], 't2i,5']))
    with pytest.raises(ValueError, match='not a complete report'):
        load_report(tmp_path)
