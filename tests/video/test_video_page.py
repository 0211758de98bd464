"""docs/from_video.md: its snippets run, and its table has the options with their defaults."""

import inspect
import re
from pathlib import Path

import pytest
from drawn_videos import draw_walker, street, write_video

import mmtbps
from mmtbps.registry import DETECTORS
from mmtbps.search import MetadataSource, list_images
from mmtbps.video import crop_videos
from mmtbps.video.table import COLUMNS, crop_path

PAGE = (Path(mmtbps.__file__).parents[1] / 'docs' / 'from_video.md').read_text(encoding='utf-8')
SNIPPET = re.compile(r'(<!-- needs weights -->\n)?```python\n(.*?)```', re.DOTALL)


def test_the_snippets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'street.mp4', [draw_walker(street(), 160, 60, 120)] * 10)
    names = {}
    try:
        for weights, snippet in SNIPPET.findall(PAGE):
            code = compile(snippet, 'from_video.md', 'exec')
            if not weights:
                exec(code, names)
                assert names['report'].crops == 1
    finally:
        DETECTORS.module_dict.pop('LeftHalf', None)
    for folder in ('crops', 'crops_left'):
        assert len(list_images(folder, MetadataSource(f'{folder}/crops.csv')).images) == 1


def test_the_options():
    options = dict(re.findall(r'^\| `(\w+)` \| `([^`]+)` \|', PAGE, flags=re.MULTILINE))
    parameters = list(inspect.signature(crop_videos).parameters.values())[2:]
    assert options == {parameter.name: repr(parameter.default) for parameter in parameters}


def test_the_columns_and_the_example():
    (table,) = re.findall(r'\| column \|.*?\n\n', PAGE, flags=re.DOTALL)
    assert tuple(re.findall(r'`(\w+)`(?=[ ,])', re.sub(r'\| [^|]* \|$', '|', table, flags=re.MULTILINE))) == COLUMNS
    assert f'crops/{crop_path("street", "street", 12.5, 300, 0)}' in PAGE


@pytest.mark.parametrize('target', re.findall(r'\]\(([^)#]+)', PAGE))
def test_links(target):
    assert (Path(mmtbps.__file__).parents[1] / 'docs' / target).is_file()
