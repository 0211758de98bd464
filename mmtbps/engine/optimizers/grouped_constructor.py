"""Optimizer wrapper constructor with few parameter groups."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmtbps.core.arguments import checked
from mmtbps.models.heads import Temperature
from mmtbps.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .pattern import Pattern

__all__ = ['GroupedOptimWrapperConstructor']

_RULES = frozenset(
    {
        'bias_decay_mult',
        'bias_lr_mult',
        'bypass_duplicate',
        'custom_keys',
        'dcn_offset_lr_mult',
        'dwconv_decay_mult',
        'flat_decay_mult',
        'layer_decay_rate',
        'norm_decay_mult',
        'patterns',
    }
)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Hold back what is no error."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor and its ``paramwise_cfg``, but one group per distinct setting instead of one per tensor.

    The updates are the same; the optimizer can fuse them, and the log gets one line per group. Parameters without
    gradient are left out. Learnt temperatures never decay: pulled towards 0, their logarithm would become that of 1.

    The paper's rule, every parameter with "bias" in its name at twice the rate and without decay, is
    ``paramwise_cfg=dict(custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0)))``.

    ``custom_keys`` are parts of names, of which MMEngine takes the longest that fits, whatever the order. Where several
    fit, ``paramwise_cfg=dict(patterns=[dict(name=..., lr_mult=..., decay_mult=...), ...])`` is clearer: ``name`` is a
    regular expression that is searched in the whole name of a parameter, the last pattern that fits decides alone, and
    ``lr=...`` instead of ``lr_mult`` is a rate of its own. Parameters that no pattern fits follow the other rules.

    Layer-wise decay of the learning rate, ``paramwise_cfg=dict(layer_decay_rate=0.75)``, comes on top: within every
    backbone that knows the depth of its layers (``get_layer_depth``, as MMPretrain's backbones have it), each layer
    has 0.75 times the rate of the next one. What is outside of them keeps its rate.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: MMEngine's rules, see :class:`mmengine.optim.DefaultOptimWrapperConstructor`,
            ``layer_decay_rate`` in (0, 1], and ``patterns``.

    Raises:
        ValueError: If there is another rule, a pattern is none or fits no parameter, or the decay is out of range or no
            module knows the depth of its layers.
    """

    @checked()
    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        unknown = set(paramwise_cfg or {}) - _RULES
        if unknown:
            raise ValueError(f'paramwise_cfg has no {sorted(unknown)}; its rules are {sorted(_RULES)}')
        self._patterns = [Pattern.of(rule) for rule in (paramwise_cfg or {}).get('patterns', ())]
        # Without any rule MMEngine would hand all parameters over, those without gradient too.
        super().__init__(optim_wrapper_cfg, paramwise_cfg or {'custom_keys': {}})

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module: int | float | None = None
    ) -> None:
        """Add the parameters of a module to the groups; at the root, merge the groups.

        Args:
            params: Groups so far, changed in place.
            module: The module.
            prefix: Its name; empty at the root.
            is_dcn_module: Passed on to MMEngine.
        """
        logger = MMLogger.get_current_instance()
        with _quiet(logger):
            super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            self._apply_patterns(params, module)
            self._decay_by_layer(params, module)
            _spare_temperatures(params, module)
            params[:] = self._merge(params)
            for group in params:
                settings = ', '.join(f'{key} {value}' for key, value in group.items() if key != 'params')
                logger.info(f'Parameter group of {len(group["params"])} tensors: {settings}')

    def _apply_patterns(self, params: list[dict], model: nn.Module) -> None:
        """Set rate and decay of the parameters that a pattern fits, in place."""
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for pattern in self._patterns:
            if not any(pattern.fits(name) for name in names.values()):
                raise ValueError(
                    f'paramwise_cfg.patterns: {pattern.name.pattern!r} fits no parameter of {type(model).__name__}; '
                    'correct it or leave it out'
                )
        for group in params:  # of one parameter each
            name = names[id(group['params'][0])]
            decisive = next((pattern for pattern in reversed(self._patterns) if pattern.fits(name)), None)
            if decisive is not None:
                group['lr'] = self.base_lr * decisive.lr_mult if decisive.lr is None else decisive.lr
                group['weight_decay'] = (self.base_wd or 0.0) * decisive.decay_mult

    def _decay_by_layer(self, params: list[dict], model: nn.Module) -> None:
        """Scale the rates of the parameters of all backbones that know the depth of their layers, in place."""
        rate = self.paramwise_cfg.get('layer_decay_rate', 1.0)
        if not 0 < rate <= 1:
            raise ValueError(f'paramwise_cfg: layer_decay_rate must lie in (0, 1], but got {rate}')
        if rate == 1:
            return
        scales = {}
        backbones: list[Any] = [module for module in model.modules() if hasattr(module, 'get_layer_depth')]
        for backbone in backbones:
            for name, parameter in backbone.named_parameters():
                # MMPretrain's ResNet takes the prefix for granted.
                depth, depths = backbone.get_layer_depth(f'backbone.{name}', 'backbone.')
                scales[id(parameter)] = rate ** (depths - depth - 1)
        if not scales:
            raise ValueError(
                f'paramwise_cfg: layer_decay_rate={rate} has no effect, since no backbone of {type(model).__name__} '
                'has the method get_layer_depth'
            )
        for group in params:  # of one parameter each
            group['lr'] = group.get('lr', self.base_lr) * scales.get(id(group['params'][0]), 1.0)

    def _merge(self, params: list[dict]) -> list[dict]:
        """Join the groups that have the same settings, in the order of their first tensors."""
        merged: dict[str, dict] = {}
        for group in params:
            defaults = {'lr': self.base_lr, 'weight_decay': self.base_wd}
            settings = {key: value for key, value in {**defaults, **group}.items() if key != 'params'}
            # The multipliers have done their work, and None stands for the optimizer's default.
            settings = {
                key: value
                for key, value in settings.items()
                if value is not None and key not in ('lr_mult', 'decay_mult')
            }
            merged.setdefault(repr(settings), {'params': [], **settings})['params'].extend(group['params'])
        return list(merged.values())


def _spare_temperatures(params: list[dict], model: nn.Module) -> None:
    """Take the decay from learnt temperatures, in place."""
    learnt = {id(part.logit_scale) for part in model.modules() if isinstance(part, Temperature) and part.learnable}
    for group in params:  # of one parameter each
        if id(group['params'][0]) in learnt:
            group['weight_decay'] = 0.0
