# How much do wrong captions harm, and does the consensus of RDE leave them out? A share of the training captions is
# shuffled among the pairs; towers are warm from contrast on identities of their own, with right captions.
title = 'Wrong captions'
seeds = [0, 1, 2]
metrics = ['t2i/R@1', 't2i/mAP', 'i2t/R@1']

_warm = dict(data_root='data/toypedes_warm', drawing=dict(num_train_ids=500, seed=1))
_few = dict(data_root='data/toypedes_500', drawing=dict(num_train_ids=500))


def _small(data: dict, epochs: int, **training: dict) -> dict:
    """Batches of 64: an epoch of 500 identities has 31 steps."""
    return {
        'train_dataloader': dict(dataset={**data, **training}, batch_size=64),
        'val_dataloader.dataset': data,
        'test_dataloader.dataset': data,
        'train_cfg': dict(max_epochs=epochs, val_interval=epochs),
        'default_hooks.checkpoint.save_best': None,
    }


def _variants(rate: int) -> dict:
    """One share of wrong captions: RDE without and with its consensus."""
    noise = _small(_few, 5, caption_noise=dict(rate=rate / 100)) if rate else _small(_few, 5)
    # The published settings above 40 % of noise.
    thorough = dict(max_iter=100, tol=1e-4, reg_covar=1e-6) if rate > 40 else {}
    hooks = [dict(type='ConsensusDivisionHook', **thorough)]
    start = dict(start='warm')
    return {
        f'RDE without consensus, {rate} %': dict(base='rde', changes={**noise, 'custom_hooks': []}, **start),
        f'RDE, {rate} %': dict(
            base='rde', changes={**noise, 'custom_hooks': hooks}, against=f'RDE without consensus, {rate} %', **start
        ),
    }


bases = dict(
    toypedes_500=dict(
        clip=dict(config='../clip/clip_tiny_toypedes.py'),
        # The towers are warm, and the selection layers start anew.
        rde=dict(
            config='../rde/rde_tiny_toypedes.py',
            changes={'default_hooks.fit_weights.ignore': ['*_stream.neck.*']},
        ),
    )
)
stages = dict(toypedes_500=dict(warm=dict(base='clip', changes=_small(_warm, 8))))
variants = dict(toypedes_500={key: variant for rate in (0, 20, 50) for key, variant in _variants(rate).items()})
