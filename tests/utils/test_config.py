import pytest
from mmengine.config import Config

from mmtbps.utils.config import check_config


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
        (dict(optim_wraper=dict()), r'did you mean optim_wrapper\?'),
        (dict(default_hooks=dict(chekpoint=dict())), r'did you mean default_hooks\.checkpoint\?'),
        (dict(env_cfg=dict(cudnn_benchmrk=True)), r'env_cfg\.cudnn_benchmrk is unknown'),
        (dict(env_cfg=dict(mp_cfg=dict(start_method='fork'))), r'env_cfg\.mp_cfg\.start_method is unknown'),
        (dict(auto_scale_lr=dict(enabled=True)), r'auto_scale_lr\.enabled is unknown'),
    ],
)
def test_keys_without_effect_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        check_config(Config(options))


def test_all_faults_are_listed_at_once():
    with pytest.raises(ValueError, match=r'val_dataloder.*cudnn'):
        check_config(Config(dict(val_dataloder={}, env_cfg=dict(cudnn=True))))
