import pytest
from ladder_runs import CONFIGS
from mmengine.config import Config

from mmtbps.engine.config_checks import check_config
from mmtbps.zoo import read_config


def test_a_config_with_variables_of_its_own_passes():
    cfg = Config(
        dict(
            data_root='data/toypedes',
            train_pipeline=[],
            image_size=(96, 32),
            train_dataloader=dict(batch_size=2),
            env_cfg=dict(mp_cfg=dict(opencv_num_threads=0)),
            default_hooks=dict(momentum_update=dict(type='MomentumUpdateHook')),
            auto_scale_lr=dict(base_batch_size=8, enable=False),
            sync_bn='torch',
        )
    )
    check_config(cfg)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(train_dataloder=dict()), r'train_dataloder is unknown, did you mean train_dataloader\?'),
        (dict(modle=dict(momentum=1)), r'modle is unknown, did you mean model\?'),
        (dict(optim_wraper=dict()), r'did you mean optim_wrapper\?'),
        (dict(default_hooks=dict(chekpoint=dict())), r'did you mean default_hooks\.checkpoint\?'),
        (dict(env_cfg=dict(cudnn_benchmrk=True)), r'env_cfg\.cudnn_benchmrk is unknown'),
        (dict(env_cfg=dict(mp_cfg=dict(start_method='fork'))), r'env_cfg\.mp_cfg\.start_method is unknown'),
        (dict(auto_scale_lr=dict(enabled=True)), r'auto_scale_lr\.enabled is unknown'),
        (dict(default_hooks=dict(epoch_sed=None)), r'did you mean default_hooks\.epoch_seed\?'),
        (dict(env_cfg=dict(dist_cfg=dict(backnd='nccl'))), r'did you mean env_cfg\.dist_cfg\.backend\?'),
        # An argument that the class itself takes, one that it hands to its base, and one that it would hand on.
        (
            dict(train_dataloader=dict(sampler=dict(type='IdentitySampler', num_instance=4))),
            r'train_dataloader\.sampler\.num_instance is unknown, did you mean .*sampler\.num_instances\?',
        ),
        (
            dict(test_dataloader=dict(dataset=dict(type='ToyPEDES', data_rot='data'))),
            r'did you mean test_dataloader\.dataset\.data_root\?',
        ),
        (
            dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', intervall=2))),
            r'did you mean default_hooks\.checkpoint\.interval\?',
        ),
        (
            dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='mmtbps.ResizeFlipCrop', paddin=4)]))),
            r'did you mean train_dataloader\.dataset\.pipeline\.0\.padding\?',
        ),
        (
            dict(optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', weight_decy=0.0))),
            r'did you mean optim_wrapper\.optimizer\.weight_decay\?',
        ),
        (
            dict(train_dataloader=dict(dataset=dict(type='PersonCaptions', drawing=dict(num_train_ids=4)))),
            r'train_dataloader\.dataset\.drawing is no argument of PersonCaptions\. .* with _delete_=True',
        ),
    ],
)
def test_keys_without_effect_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        check_config(Config(options))


@pytest.mark.parametrize(
    'component',
    [
        dict(type='Unheard', paddin=4),
        dict(type='elsewhere.ResizeFlipCrop', paddin=4),
        # What MMEngine's builders take before the constructor sees it.
        dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0), constructor='X', paramwise_cfg=dict(custom_keys={})
        ),
        dict(type='LinearLR', start_factor=0.1, convert_to_iter_based=True, by_epoch=True),
        dict(type='EpochSeedHook', priority='LOW'),
    ],
)
def test_what_is_no_slip_of_the_pen_passes(component):
    check_config(Config(dict(anything=[component])))


def test_all_faults_are_listed_at_once():
    with pytest.raises(ValueError, match=r'val_dataloder.*cudnn'):
        check_config(Config(dict(val_dataloder={}, env_cfg=dict(cudnn=True))))


def test_imported_names_of_pure_python_configs_are_no_keys(tmp_path):
    (tmp_path / 'lazy.py').write_text(
        'from mmengine.optim import OptimWrapper\nfrom torch.optim import Adam\n'
        'optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-3))\noptim_wraper = 3\n'
    )
    with pytest.raises(ValueError, match=r'optim_wraper is unknown') as caught:
        check_config(Config.fromfile(tmp_path / 'lazy.py'))
    assert 'OptimWrapper is' not in str(caught.value)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'train_cfg.max_epoch': 3}, r'train_cfg\.max_epoch is unknown, did you mean train_cfg\.max_epochs\?'),
        ({'train_cfg.val_intervall': 3}, r'did you mean train_cfg\.val_interval\?'),
        ({'model.text_stream.neck.type': 'BiGRUNek'}, r"neck\.type='BiGRUNek' is unknown, did you mean 'BiGRUNeck'\?"),
        ({'model.type': 'DualStreamRetreiver'}, r"did you mean 'DualStreamRetriever'\?"),
        ({'optim_wrapper.optimizer.type': 'Adamm'}, r"did you mean 'Adam"),
        (
            {'optim_wrapper.optimizer.learning_rate': 0.1},
            r'optim_wrapper\.optimizer\.learning_rate is no argument of Adam; it has .*lr',
        ),
    ],
)
def test_what_would_be_found_late_is_found_first(changes, message):
    cfg = Config.fromfile(CONFIGS / 'dual_stream/dual-stream_tiny_toypedes.py')
    cfg.merge_from_dict(changes)
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


def test_loops_of_ones_own_and_variables_are_left_alone():
    cfg = Config.fromfile(CONFIGS / 'dual_stream/dual-stream_tiny_toypedes.py')
    cfg.merge_from_dict({'train_cfg.type': 'MyLoop', 'train_cfg.max_epoch': 3, 'my_variable': dict(_delete_=True)})
    check_config(cfg)


def test_variables_are_left_alone_and_what_is_used_of_them_is_not(tmp_path):
    """A variable that holds a whole data set, as the advice on data sets asks for, keeps its ``_delete_``."""
    text = (
        f"_base_ = '{CONFIGS}/dual_stream/dual-stream_tiny_toypedes.py'\n"
        "own = dict(_delete_=True, type='PersonCaptions', ann_file='a.csv', split='train', pipeline=[])\n"
        "spare = dict(type='PersonCaptons', bacth=3)\n"
        'train_dataloader = dict(dataset=own)\n'
    )
    (tmp_path / 'own.py').write_text(text)
    check_config(Config.fromfile(tmp_path / 'own.py'))
    (tmp_path / 'own.py').write_text(text.replace("split='train'", "splt='train'"))
    with pytest.raises(ValueError, match=r'train_dataloader\.dataset\.splt'):
        check_config(Config.fromfile(tmp_path / 'own.py'))


@pytest.mark.parametrize(
    ('place', 'argument', 'message'),
    [
        ('model', 'foo', r'model\.foo is no argument of DualStreamRetriever; it has .*heads'),
        ('model.heads.itc', 'weight', r'model\.heads\.itc\.weight is no argument of ITCHead; it has .*loss_weight'),
        ('default_hooks.logger', 'foo', r'default_hooks\.logger\.foo is no argument of LoggerHook'),
        ('param_scheduler.0', 'foo', r'param_scheduler\.0\.foo is no argument of'),
        ('train_dataloader.sampler', 'shufle', r'sampler\.shufle is no argument of IdentitySampler'),
        ('test_evaluator', 'metrics', r'test_evaluator\.metrics is no argument of TBPSMetric'),
    ],
)
def test_arguments_that_a_class_does_not_take_are_named_with_their_place(place, argument, message):
    cfg = read_config('dual-stream_tiny_toypedes')
    cfg.merge_from_dict({f'{place}.{argument}': 1})
    with pytest.raises(ValueError, match=message):
        check_config(cfg)
