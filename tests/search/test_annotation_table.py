"""The table that ``mmtbps annotate`` writes, and what it refuses to write."""

import csv
import os

import pytest

from mmtbps.cli.annotate import annotate
from mmtbps.datasets import PersonCaptions
from mmtbps.search import MetadataSource, list_gallery
from mmtbps.search.annotation_table import write_annotation_table


def rows(file):
    with open(file, newline='', encoding='utf-8') as stream:
        return list(csv.DictReader(stream))


def test_training_and_search_read_what_is_written(crops, tmp_path):
    (crops / 'cam0' / 'p0_t0.png').rename(crops / 'cam0' / 'Größe, "1"; =2.png')
    table = tmp_path / 'a.csv'
    written = write_annotation_table(crops, table, r'(?P<place>cam(?P<person_id>\d))/')
    assert (written.rows, written.folder, written.remarks) == (12, None, [])
    table.write_text(table.read_text().replace('.png,,', '.png,A man.,').replace('.png",,', '.png",A man.,'))
    data = PersonCaptions(str(table), split_key=None, data_prefix=dict(img_path=str(tmp_path)))
    assert (len(data), data.num_classes) == (12, 3)
    found = list_gallery(crops, MetadataSource(table))
    assert [image.metadata['place'] for image in found] == [image.metadata['folder'] for image in found]


def test_a_pattern_that_meets_no_path_writes_nothing(crops, tmp_path, capsys):
    table = tmp_path / 'a.csv'
    with pytest.raises(ValueError, match=r"pattern 'q\(\?P<person_id>.* finds nothing .*/cam0/p0_t0.png"):
        write_annotation_table(crops, table, r'q(?P<person_id>\d)')
    with pytest.raises(ValueError, match='has a column caption already; name the group of the pattern otherwise'):
        write_annotation_table(crops, table, r'p(?P<caption>\d)')
    assert not table.exists()
    (crops / 'notes.txt').write_text('x')
    annotate(str(crops), out=str(table), pattern=r'cam1/p(?P<person_id>\d)')
    told = capsys.readouterr()
    assert f'finds nothing in the paths of 8 images, such as {crops}/cam0/p0_t0.png' in told.err
    assert 'txt' in told.err
    assert '12 images of 4 persons. Fill in the column caption' in told.out
    assert sum(row['person_id'] == '' for row in rows(table)) == 8


@pytest.mark.skipif(os.name == 'nt', reason='names there are text')
def test_names_that_are_no_utf8_are_named(crops, tmp_path):
    odd = crops / os.fsdecode(b'\xc4\xd0.png')
    (crops / 'cam0' / 'p0_t0.png').rename(odd)
    with pytest.raises(
        ValueError, match=r'paths of 1 of 12 images are no UTF-8, as that of crops/\\xc4\\xd0.png.*Rename'
    ):
        write_annotation_table(crops, tmp_path / 'a.csv')
    assert not (tmp_path / 'a.csv').exists()


@pytest.mark.skipif(os.name == 'nt', reason='names there are text')
def test_a_folder_above_may_have_any_name(crops, tmp_path, capsys):
    above = tmp_path / os.fsdecode(b'\xc4\xd0')
    crops.rename(above)
    annotate(str(above), out=str(above / 'a.csv'), pattern=r'/(?P<place>[^/]+)/cam')
    assert {row['place'] for row in rows(above / 'a.csv')} == {'\\xc4\\xd0'}
    assert '12 images' in capsys.readouterr().out
