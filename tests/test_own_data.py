"""docs/how_to/own_data.md, carried out from top to bottom: 24 images of 8 persons are described, learnt and found."""

import csv
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

import mmtbps
from mmtbps import cli
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.zoo import named_configs, read_config

ROOT = Path(mmtbps.__file__).parents[1]
PAGE = (ROOT / 'docs' / 'how_to' / 'own_data.md').read_text(encoding='utf-8')
pytestmark = pytest.mark.usefixtures('unformatted_configs')
# No processes, whose start takes most of the time of an epoch of one step.
FAST = 'train_cfg.max_epochs=25 train_dataloader.num_workers=0 train_dataloader.persistent_workers=False'


def commands(name):
    (block,) = re.findall(rf'<!-- command: {name} -->\n```console\n(.*?)```', PAGE, re.DOTALL)
    return block.strip().splitlines()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of crops, and what somebody would write about each."""
    toys = draw_toy_pedes(tmp_path / 'toys', num_train_ids=8, num_val_ids=1, num_test_ids=1, images_per_id=3)
    raw = [entry for entry in json.loads((toys / 'reid_raw.json').read_text()) if entry['split'] == 'train']
    said = {}
    for entry in raw:
        path = tmp_path / 'crops' / f'{entry["id"]:02}_{Path(entry["file_path"]).name}'
        path.parent.mkdir(exist_ok=True)
        (toys / 'imgs' / entry['file_path']).rename(path)
        said[path.name] = entry['captions'][0]
    monkeypatch.chdir(tmp_path)
    return said


@pytest.fixture
def run(monkeypatch, capsys):
    def run(line, *more):
        monkeypatch.setattr(sys, 'argv', [*shlex.split(line), *more])
        cli.main()
        return capsys.readouterr().out

    return run


def fill_in(table, said):
    """Write the captions, as one would with a spreadsheet."""
    with open(table, newline='') as file:
        rows = list(csv.DictReader(file))
    assert {row['person_id'] for row in rows} == {f'{person:02}' for person in range(1, 9)}
    assert [row['caption'] for row in rows] == [''] * 24
    with open(table, 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(dict(row, caption=said[Path(row['image']).name]) for row in rows)


def test_the_page(project, run):
    (annotate,) = commands('annotate')
    assert run(annotate).endswith('\n  mmtbps train --data captions.csv\n')
    with pytest.raises(SystemExit) as refused:
        run(annotate)  # it may have been filled in
    assert refused.value.code == 2
    fill_in('captions.csv', project)

    verify, train, index, query = commands('train')
    told = run(verify)
    assert 'No faults.' in told
    assert '24 pairs of 8 persons: batches of 8 persons x 2 pairs, 60 epochs' in told
    assert 'Training: 1 batch of 16 pairs an epoch, 60 epochs.' in told
    told = run(verify, '--val-ids', '2', '--images', '.')
    assert 'The best epoch is chosen by 6 sentences on 2 persons, a matter of luck: --val-ids N takes' in told
    assert '18 pairs of 6 persons' in told
    told = run(train, '--cfg-options', *FAST.split())
    assert 'no val split, so that no best epoch is chosen' in told
    assert told.splitlines()[-1].startswith('Search with it: mmtbps search index FOLDER --model work_dirs/captions')
    assert '24 images in the gallery' in run(index, '--workers', '0')
    right = 0
    for image, sentence in list(project.items())[::3]:
        (answer,) = json.loads(run(shlex.join([*shlex.split(query)[:-1], sentence, '--json', '--topk', '1'])))
        right += Path(answer['results'][0]['path']).name[:2] == image[:2]
    assert right >= 6  # of 8; chance finds one
    told = run('mmtbps test work_dirs/captions --verbose')
    assert 'The test set is the training set' in told


def test_each_image_a_person_of_its_own(project, run):
    run('mmtbps annotate crops --out plain.csv')
    with open('plain.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert {row['person_id'] for row in rows} == {''}
    with open('plain.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(dict(row, caption=project[Path(row['image']).name]) for row in rows)
    assert '`--cfg-options own_data.person_key=image`' in PAGE
    option = ('--cfg-options', 'own_data.person_key=image')
    # A tenth each for val and test.
    assert '20 pairs of 20 persons' in run('mmtbps verify plain.csv', *option)
    told = run('mmtbps train --data plain.csv', *option, *FAST.replace('=25', '=1').split())
    assert '20 pairs of 20 persons' in told


def test_the_config_of_the_page(tmp_path):
    (snippet,) = re.findall(r'<!-- file: mine.py -->\n```python\n(.*?)```', PAGE, re.DOTALL)
    assert len(snippet.strip().splitlines()) == 2
    (tmp_path / 'mine.py').write_text(snippet)
    cfg = read_config(tmp_path / 'mine.py')
    assert cfg.own_data == 'captions.csv'
    assert cfg.train_dataloader.batch_size is cfg.train_cfg.max_epochs is None


def test_the_configs_of_the_page_exist():
    assert set(re.findall(r'\| `(own-data_[\w-]+)`', PAGE)) == {n for n in named_configs() if n.startswith('own-data_')}
