"""The trainings of the ladder's vectors: recipes of this project, shrunk, through MMEngine's Runner."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

import mmtbps
from mmtbps.converters.clip_dual import layout_named
from mmtbps.datasets import IGNORED
from mmtbps.models.clip.positions import GRID
from mmtbps.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
# Sizes of the small models of IRRA and RDE, and of TBPS-CLIP.
IRRA_SIZES = dict(
    vision=dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8),
    text=dict(embed_dim=16, layers=2, width=24, heads=2, vocab_size=100, context_length=16),
    input_size=(48, 16),
)
TBPS_CLIP_SIZES = dict(
    vision=dict(embed_dim=24, layers=2, width=32, head_width=16, patch_size=16),
    text=dict(embed_dim=24, layers=2, width=32, heads=2, vocab_size=64, context_length=14),
    input_size=(48, 32),
)
MEAN, STD = (torch.tensor(x, dtype=torch.float64).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Recipe:
    """A leaf of the configs and how its weights are called in the authors' layout."""

    def __init__(self, leaf, layout, sizes, heads):
        self.leaf, self.layout, self.sizes, self.heads = leaf, layout, sizes, heads

    def config(self, steps=8, warmup=2):
        """The leaf with small towers, in double precision, its schedule by iteration."""
        cfg = Config.fromfile(CONFIGS / self.leaf)
        init_default_scope('mmtbps')
        model, wrapper = cfg.model, cfg.optim_wrapper
        model.data_preprocessor = dict(type='BaseDataPreprocessor')
        image, text = model.image_stream.backbone, model.text_stream.backbone
        image.update(arch=self.sizes['vision'], input_size=self.sizes['input_size'], quick_gelu=True, init_cfg=None)
        text.update(arch=self.sizes['text'], attn_drop=0.0, quick_gelu=True, init_cfg=None)
        wrapper.type = 'OptimWrapper'
        wrapper.optimizer.fused = False
        if self.layout != 'tbps-clip':
            linear, cosine = cfg.param_scheduler
            linear.update(end=warmup + 1, by_epoch=False)
            cosine.update(begin=warmup, end=steps, T_max=steps - warmup, by_epoch=False)
        return cfg

    def to_ours(self, state):
        """All weights of the authors' layout by our names, in double precision."""
        encoders, rest = layout_named(self.layout).names.to_ours(state)
        for name in rest:
            prefix = next((prefix for prefix in self.heads if name.startswith(prefix)), None)
            if prefix is not None:
                encoders[self.heads[prefix] + name.removeprefix(prefix)] = state[name]
        return {name: value.double() if value.is_floating_point() else value for name, value in encoders.items()}


IRRA = Recipe(
    'irra/irra_vit-b16_1xb64-60e_cuhk-pedes.py',
    'irra',
    IRRA_SIZES,
    {
        'classifier.': 'heads.identity.classifier.',
        **{name: f'heads.words.{name}' for name in ('cross_', 'ln_pre_', 'ln_post', 'mlm_head.')},
    },
)
RDE = Recipe('rde/rde_vit-b16_1xb64-60e_cuhk-pedes.py', 'rde', IRRA_SIZES, {})
TBPS_CLIP = Recipe(
    'tbps_clip/tbps-clip-full_vit-b16_4xb80-5e_cuhk-pedes.py',
    'tbps-clip',
    TBPS_CLIP_SIZES,
    {'logit_scale': 'temperatures.clip.logit_scale', 'simclr_mlp.': 'heads.self_supervision.mlp.'},
)


def clip_heads():
    """The heads of the recipe of plain contrast."""
    return Config.fromfile(CONFIGS / 'clip/clip_vit-b16_1xb64-60e_cuhk-pedes.py').model.heads


def rates_of(leaf, epochs, length):
    """The learning rate of every epoch, or of every iteration if epochs have more than one."""
    cfg = Config.fromfile(CONFIGS / leaf)
    init_default_scope('mmtbps')
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(one, optimizer=optimizer), default_args=dict(epoch_length=length))
        for one in cfg.param_scheduler
    ]
    rates = []
    for _ in range(epochs * length):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def build(cfg, recipe, state):
    """The model of a config with the weights of a state; there is no weight without a counterpart."""
    model = MODELS.build(cfg.model).double()
    missing, unexpected = model.load_state_dict(recipe.to_ours(state), strict=False)
    assert not unexpected
    assert all(name.endswith(('quick_gelu', GRID)) for name in missing), missing
    model.is_init = True
    return model


def as_images(images, imagenet=False):
    return (images.double() / 255 - MEAN) / STD if imagenet else images.double() / 127.5 - 1


def caption(tokens, labels=None, end=None):
    """Padded ids (N, L) as the data preprocessor gives them; labels of the public codes are 0 where there is none."""
    end = tokens.max() if end is None else end
    lengths = (tokens == end).int().argmax(dim=1) + 1
    longest = int(lengths.max())
    view = dict(tokens=tokens[:, :longest], lengths=lengths)
    if labels is not None:
        view['labels'] = labels[:, :longest].masked_fill(labels[:, :longest] == 0, IGNORED)
    return view


def samples_of(person_ids):
    samples = []
    for index, person_id in enumerate(person_ids.tolist()):
        samples.append(DataSample())
        samples[-1].set_field(person_id, 'person_id')
        samples[-1].set_field(index, 'sample_idx')
    return samples


class Recorder(Hook):
    """Keeps losses and rates of all steps and gradients of the first; calls ``prepare(model, step)`` before each."""

    priority = 'LOWEST'

    def __init__(self, prepare=None):
        self.losses, self.rates, self.gradients, self.prepare = [], [], None, prepare

    def before_train(self, runner):
        def keep(*_):
            found = {name: weight.grad for name, weight in runner.model.named_parameters() if weight.grad is not None}
            self.gradients = self.gradients or {name: value.clone() for name, value in found.items()}

        runner.optim_wrapper.optimizer.register_step_pre_hook(keep)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.prepare:
            self.prepare(runner.model, runner.iter)
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({name: value.item() for name, value in outputs.items()})


def first(items):
    return items[0]


def train(cfg, model, batches, work_dir, epochs=1, prepare=None):
    """Train on one batch after the other; returns what was recorded."""
    recorder = Recorder(prepare)
    per_epoch = len(batches) // epochs
    hooks = [hook for hook in cfg.get('custom_hooks', []) if hook.type == 'LossRampHook']
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=_Epochs(batches, per_epoch),
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=first,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        default_hooks=dict(checkpoint=None),
        custom_hooks=[*hooks, recorder],
        default_scope='mmtbps',
        experiment_name=f'{model.__class__.__name__}_{id(model)}',
    )
    runner.register_hook(_NextEpoch())
    runner.train()
    return recorder


class _Epochs(torch.utils.data.Dataset):
    """One item per step, the batch as the data preprocessor would give it; those of one epoch at a time."""

    def __init__(self, batches, per_epoch):
        self.batches, self.per_epoch, self.epoch = batches, per_epoch, 0

    def __len__(self):
        return self.per_epoch

    def __getitem__(self, index):
        return self.batches[self.epoch * self.per_epoch + index]


class _NextEpoch(Hook):
    def before_train_epoch(self, runner):
        runner.train_dataloader.dataset.epoch = runner.epoch
