# How long shall the queue be? The toy run's 500 identities have 2,000 pairs, so that its longest holds them twice.
_base_ = './_base_/data_sets.py'

title = 'Queue size of CM-MoCo'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']


def _variants(*sizes: int) -> dict:
    return dict(
        none=dict(label='no queue: baseline', base='baseline'),
        **{
            f'queue{size}': dict(label=f'K = {size}', base='cm_moco', changes={'model.queue.size': size})
            for size in sizes
        },
    )


variants = dict(
    toypedes_500=_variants(64, 256, 1024, 4096),
    cuhk_pedes=_variants(256, 512, 1024, 2048, 4096, 8192),
)
