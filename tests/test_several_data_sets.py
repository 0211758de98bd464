"""The page on several data sets, carried out on a few persons."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from stand_ins import small_run, write_persons

import mmtbps
from mmtbps import apis
from mmtbps.core.checkpoint import load_checkpoint_file

PAGE = (Path(mmtbps.__file__).parents[1] / 'docs/how_to/several_data_sets.md').read_text(encoding='utf-8')
CONFIG, REPEATED = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
THIN = {
    'model.image_stream.backbone.init_cfg': None,
    'model.image_stream.backbone.base_channels': 4,
    'model.image_stream.backbone.stem_channels': 4,
    'model.image_projection.in_channels': 128,
    'model.queue.size': 8,
}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The page's config on stand-ins of both data sets, in a folder laid out as the page expects."""
    monkeypatch.chdir(tmp_path)
    write_persons(tmp_path / 'data/cuhk_pedes', 'CUHKPEDES', ['A man walks in blue.'])
    write_persons(tmp_path / 'data/rstp_reid', 'RSTPReid', ['A woman stands in red.'], persons=3)
    (tmp_path / 'several.py').write_text(CONFIG)

    def load(changes=''):
        (tmp_path / 'several.py').write_text(CONFIG + changes)
        cfg = Config.fromfile(tmp_path / 'several.py')
        settings = {key: value for key, value in small_run('').items() if not key.endswith('data_root')}
        cfg.merge_from_dict({**settings, **THIN})
        cfg.work_dir = str(tmp_path / 'run')
        cfg.experiment_name = f'several{len(changes)}'
        return cfg

    return load


@pytest.mark.usefixtures('unformatted_configs')
def test_the_page(config, tmp_path, capfd):
    figures = apis.train(config())
    table = capfd.readouterr().out
    for name in ('CUHK-PEDES', 'RSTPReid'):
        assert f'| {name}/t2i ' in table
    assert figures['t2i/R@1'] == pytest.approx((figures['CUHK-PEDES/t2i/R@1'] + figures['RSTPReid/t2i/R@1']) / 2)
    (best,) = (tmp_path / 'run').glob('best_*.pth')
    stored = load_checkpoint_file(best)
    meta = stored['meta']['dataset_meta']
    assert {f'CUHK-PEDES/{i}' for i in range(4)} | {f'RSTPReid/{i}' for i in range(3)} == set(meta['person_ids'])
    assert stored['state_dict']['heads.identity.projection'].shape[1] == 7
    assert {'blue', 'red'} <= set(meta['vocabulary'])

    again = config()
    again.work_dir += '-test'
    again.experiment_name += '-test'
    assert apis.test(again, str(best), str(tmp_path / 'features.npz')) == figures
    assert (tmp_path / 'features.npz').is_file()


@pytest.mark.usefixtures('unformatted_configs')
def test_repeated_within_joined(config):
    cfg = config(REPEATED)
    assert [part['type'] for part in cfg.train_dataloader.dataset.datasets] == ['CUHKPEDES', 'RepeatDataset']
    assert apis.train(cfg)['t2i/R@1'] >= 0
