"""Every config has an entry in its folder's metafile and a place in its README."""

import re

import pytest
import yaml
from config_leaves import CONFIGS, LEAVES, load
from mmengine.config import Config
from mmengine.hub import get_config

FOLDERS = sorted({leaf.split('/')[0] for leaf in LEAVES})
INDEX = CONFIGS.parent / 'mmtbps' / '.mim' / 'model-index.yml'
# CUHK-PEDES, test, text to image: Han et al., BMVC 2021.
PAPER_FIGURES = {'R@1': 64.08, 'R@5': 81.73, 'R@10': 88.19, 'mAP': 60.08}
DATA_SETS = {
    'CUHKPEDES': 'CUHK-PEDES',
    'ICFGPEDES': 'ICFG-PEDES',
    'RSTPReid': 'RSTPReid',
    'ToyPEDES': 'ToyPEDES',
    'PersonCaptions': 'own data',
}
DATA_OF_TOWERS = dict(nam='LUPerson', ham='SYNTH-PEDES')
# Test sets, text to image, R@1: as the papers and the READMEs of their public codes have them.
PUBLISHED = {
    'clip': {'CUHK-PEDES': 68.19, 'ICFG-PEDES': 56.74, 'RSTPReid': 54.05},
    'irra': {'CUHK-PEDES': 73.38, 'ICFG-PEDES': 63.46, 'RSTPReid': 60.20},
    'rde': {'CUHK-PEDES': 75.94, 'ICFG-PEDES': 67.68, 'RSTPReid': 65.35},
    'tbps-clip-full': {'CUHK-PEDES': 73.54, 'ICFG-PEDES': 65.05, 'RSTPReid': 61.95},
    'tbps-clip-simplified': {'CUHK-PEDES': 72.66, 'ICFG-PEDES': 64.52, 'RSTPReid': 62.10},
}


def metafile(folder):
    return yaml.safe_load((CONFIGS / folder / 'metafile.yml').read_text())


ENTRIES = {entry['Config']: entry for folder in FOLDERS for entry in metafile(folder)['Models']}


def test_the_index_names_every_metafile():
    assert yaml.safe_load(INDEX.read_text())['Import'] == [f'configs/{folder}/metafile.yml' for folder in FOLDERS[::-1]]


def test_one_entry_per_config():
    assert set(ENTRIES) == {f'configs/{leaf}' for leaf in LEAVES}
    assert sum(len(metafile(folder)['Models']) for folder in FOLDERS) == len(LEAVES)


@pytest.mark.parametrize('leaf', LEAVES)
def test_an_entry_agrees_with_its_config(leaf):
    entry, cfg = ENTRIES[f'configs/{leaf}'], load(leaf)
    assert f'{entry["Name"]}.py' == leaf.split('/')[1]
    assert entry['In Collection'] in [one['Name'] for one in metafile(leaf.split('/')[0])['Collections']]
    facts = entry['Metadata']
    assert (facts['Epochs'], facts['Batch Size']) == (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size)
    data, *pretrained = facts['Training Data']
    assert data == DATA_SETS[cfg.train_dataloader.dataset.type]
    text = str(cfg.model)
    assert (cfg.load_from in ('nam', 'ham')) == (pretrained[1:] == [DATA_OF_TOWERS.get(cfg.load_from)])
    from_clip = 'CLIPPretrained' in text or 'clip_words' in text or cfg.load_from in DATA_OF_TOWERS
    assert ('WebImageText' in pretrained, 'ImageNet-1k' in pretrained) == (from_clip, 'torchvision' in text)


@pytest.mark.parametrize('leaf', LEAVES)
def test_a_number_has_a_source_or_there_is_none(leaf):
    entry = ENTRIES[f'configs/{leaf}']
    results = entry['Results']
    assert (results is None) == (entry.get('Published') == 'none that we could confirm')
    for result in results or []:
        assert result['Dataset'] == entry['Metadata']['Training Data'][0]
        source = result['Source']
        assert re.match(r'(Han|Jiang|Qin|Cao) .*(BMVC|CVPR|AAAI)|second-hand, not confirmed|own run of this', source)
        method = leaf.split('/')[1].split('_')[0]
        if method in PUBLISHED and leaf.endswith('-published.py'):
            assert result['Metrics']['R@1'] == PUBLISHED[method][result['Dataset']]
        if result['Source'].startswith('Han'):
            assert result['Metrics'] == PAPER_FIGURES
            assert leaf == 'cm_moco/cm-moco_clip-r101-clip-words-bigru_1xb128-80e_cuhk-pedes-published.py'


@pytest.mark.parametrize('folder', FOLDERS)
def test_a_readme_links_every_config_and_nothing_else(folder):
    links = re.findall(r'\]\(([^)#]+)\)', (CONFIGS / folder / 'README.md').read_text())
    configs = [link for link in links if re.fullmatch(r'[^/]+\.py', link)]
    assert set(configs) == {leaf.split('/')[1] for leaf in LEAVES if leaf.startswith(folder)}
    assert all((CONFIGS / folder / link).is_file() for link in links if not link.startswith('http'))


def test_mmengine_finds_a_config_by_its_entry():
    leaf = 'cm_moco/cm-moco_clip-r50-clip-words-bigru_1xb128-80e_cuhk-pedes.py'
    assert get_config(f'mmtbps::{leaf}').model == Config.fromfile(CONFIGS / leaf).model
