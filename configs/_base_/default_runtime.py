default_scope = 'mmtbps'

# A dictionary, so that a leaf adds or removes one hook by its name.
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    dataset_meta=dict(type='DatasetMetaHook'),
    # Names that load_from shall not take go to ignore.
    fit_weights=dict(type='FitWeightsHook', ignore=[]),
    # Ranks validate with the same running statistics.
    sync_buffers=dict(type='SyncBuffersHook'),
    # NaN stops a run before anything is saved.
    finite_loss=dict(type='FiniteLossHook'),
    collapse=dict(type='CollapseHook'),
    loader_workers=dict(type='LoaderWorkersHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    logger=dict(type='LoggerHook', interval=50),
    # The best epoch is chosen on val.
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=1,
        save_best='t2i/R@1',
        rule='greater',
    ),
    exact_resume=dict(type='ExactResumeHook'),
    score_resumed_epoch=dict(type='ScoreResumedEpochHook'),
    # A few lines on the terminal, and everything in the log file; None shows everything.
    terminal=dict(type='TerminalHook'),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

visualizer = dict(type='TBPSVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(type='LogProcessor', by_epoch=True)
log_level = 'INFO'

load_from = None
resume = False
randomness = dict(seed=0)
