"""A number, a text or None where a config must have a dictionary, a list or a switch is told with its place."""

import pytest
from mmengine.config import Config
from mmengine.hooks import LoggerHook
from mmengine.visualization import Visualizer

from mmtbps.apis import runs
from mmtbps.apis.options import apply_train_options, use_test_set
from mmtbps.engine.config_checks import check_config
from mmtbps.engine.kind_checks import check_kinds
from mmtbps.zoo import named_configs, read_config


@pytest.fixture(scope='module')
def tiny():
    return read_config('dual-stream_tiny_toypedes')


def changed(tiny, key, value):
    cfg = Config(tiny.to_dict())
    head, _, last = key.rpartition('.')
    node = cfg
    for part in head.split('.') if head else ():
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    node[last] = value
    return cfg


@pytest.mark.parametrize('name', named_configs())
def test_the_configs_of_this_library_pass(name):
    check_kinds(read_config(name))


def test_what_code_has_built_passes():
    logger = LoggerHook(interval=3)
    check_kinds(Config(dict(default_hooks=dict(logger=logger), custom_hooks=[logger], visualizer=Visualizer())))
    check_kinds(Config(dict(train_dataloader=dict(dataset=[].append, collate_fn=len), val_evaluator=[])))


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('default_hooks.checkpoint', 3, r'default_hooks\.checkpoint must be a dictionary or None, got 3$'),
        ('default_hooks', 'none', r"default_hooks must be a dictionary or None, got 'none'"),
        ('train_cfg', 3, r'train_cfg must be a dictionary or None, got 3'),
        ('custom_hooks', 3, r'custom_hooks must be a list of dictionaries, got 3'),
        ('custom_hooks', {'type': 'EMAHook'}, r"custom_hooks must be a list of dictionaries, got {'type'"),
        ('custom_hooks', ['EMAHook'], r"custom_hooks\.0 must be a dictionary, got 'EMAHook'"),
        ('param_scheduler', 'linear', r'param_scheduler must be a dictionary or a list of them'),
        ('param_scheduler', [3], r'param_scheduler\.0 must be a dictionary, got 3'),
        ('test_evaluator', 'mAP', r"test_evaluator must be a dictionary or a list of them, got 'mAP'"),
        ('model', None, r'model must be a dictionary, got None'),
        ('optim_wrapper', 3, r'optim_wrapper must be a dictionary or None'),
        ('optim_wrapper.optimizer', 'Adam', r"optim_wrapper\.optimizer must be a dictionary, got 'Adam'"),
        ('optim_wrapper.optimizer.betas', 3, r'optimizer\.betas must be a list of numbers, such as .*, got 3'),
        ('optim_wrapper.optimizer.betas', [0.9], r'optimizer\.betas must be a list of numbers'),
        ('optim_wrapper.optimizer.weight_decay', 'a', r"optimizer\.weight_decay must be a number, got 'a'"),
        ('optim_wrapper.optimizer.betas', ['a', 0.9], r'optimizer\.betas must be a list of numbers'),
        ('train_dataloader', 3, r'train_dataloader must be a dictionary or None, got 3'),
        ('train_dataloader.dataset', None, r'train_dataloader\.dataset must be a dictionary, got None'),
        ('val_dataloader.sampler', 'x', r"val_dataloader\.sampler must be a dictionary or None, got 'x'"),
        ('test_dataloader.drop_last', 'no', r"test_dataloader\.drop_last must be True or False, got 'no'"),
        ('default_hooks.logger.interval', 0, r'logger\.interval must be a whole number of at least 1, got 0'),
        ('default_hooks.checkpoint.interval', 'a', r"checkpoint\.interval must be a whole number, got 'a'"),
        ('env_cfg', None, r'env_cfg must be a dictionary, got None'),
        ('env_cfg.mp_cfg', 'fork', r"env_cfg\.mp_cfg must be a dictionary, got 'fork'"),
        ('env_cfg.mp_cfg.mp_start_method', 'banana', r"mp_start_method must be one of .*spawn.*, got 'banana'"),
        ('env_cfg.mp_cfg.opencv_num_threads', 'a', r"opencv_num_threads must be a whole number, got 'a'"),
        ('train_dataloader.dataset.tokenizer', 3, r'dataset\.tokenizer must be a dictionary or None, got 3'),
        ('compile', 'maybe', r"compile must be True, False or a dictionary, got 'maybe'"),
        ('default_scope', 3, r'default_scope must be the name of a registry or None, got 3'),
        ('env_cfg.cudnn_benchmark', 'maybe', r"env_cfg\.cudnn_benchmark must be True or False, got 'maybe'"),
        ('resume', 'maybe', r"resume must be True or False, got 'maybe'"),
        ('load_from', 3, r'load_from must be the name of a file or None, got 3'),
        ('randomness', 3, r'randomness must be a dictionary, got 3'),
        ('randomness.deterministic', 'yes', r"randomness\.deterministic must be True or False, got 'yes'"),
    ],
)
def test_what_is_of_another_kind_is_told_with_its_place(tiny, key, value, message):
    with pytest.raises(ValueError, match=message):
        check_kinds(changed(tiny, key, value))


def test_all_are_told_at_once_with_the_file(tiny):
    cfg = changed(tiny, 'resume', 'maybe')
    cfg.train_cfg = 3
    object.__setattr__(cfg, '_filename', 'mine.py')
    with pytest.raises(ValueError, match=r'wrong in mine\.py: train_cfg must .*; resume must'):
        check_kinds(cfg)


@pytest.mark.parametrize(
    'use',
    [
        check_config,
        runs.train,
        runs.build_runner,
        lambda cfg: runs.test(cfg, 'nowhere.pth'),
        lambda cfg: apply_train_options(cfg, validate=False),
        lambda cfg: use_test_set(cfg, cfg),
    ],
)
def test_it_is_told_before_anything_looks_into_it(tiny, use, tmp_path):
    cfg = changed(tiny, 'default_hooks.checkpoint', 3)
    cfg.test_dataloader = 3
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ValueError, match=r'test_dataloader must be a dictionary.*default_hooks\.checkpoint must'):
        use(cfg)
