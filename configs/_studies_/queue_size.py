# How long shall the queue be? The training set has 2,000 pairs, so that the longest holds it more than once.
_base_ = './_base_/toypedes_500.py'

title = 'Queue size of CM-MoCo (ToyPEDES, 500 identities)'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_leaf = '../cm_moco/cm-moco_tiny_toypedes.py'
# The contrast enters over the same steps as in the toy run; the epochs are shorter here.
_ramp = {'custom_hooks.3': dict(begin=28 / 11, end=4 * 28 / 11)}
variants = dict(
    none=dict(label='no queue: baseline', config='../dual_stream/dual-stream_tiny_toypedes.py'),
    **{
        f'queue{size}': dict(label=f'K = {size}', config=_leaf, changes={'model.queue.size': size, **_ramp})
        for size in (64, 256, 1024, 4096)
    },
)
