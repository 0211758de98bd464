"""``mmtbps export``: a trained retriever as ONNX graphs."""

from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import CfgOptions, Switch, config_of

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmtbps.search import Encoder

__all__ = ['export']


def export(
    *paths: str,
    model: str | None = None,
    int8: Switch = False,
    evaluate: Switch = False,
    opset: int = 17,
    cfg_options: CfgOptions = None,
) -> None:
    """Export a trained retriever as two ONNX graphs with their preprocessing in a JSON, and verify them.

    For example:

        mmtbps export work_dirs/mine exported
        mmtbps export my_config.py epoch_20.pth exported --int8
        mmtbps export --model nam exported

    Args:
        paths: CONFIG CHECKPOINT OUT, WORK_DIR OUT, or OUT alone with --model: config and checkpoint, or the folder of a
            training; then the folder for image.onnx, text.onnx and model.json.
        model: A model by name, such as nam.
        int8: Also write OUT/int8, with weights in 8 bits.
        evaluate: Evaluate every model on the config's test set.
        opset: Version of ONNX's operators.
    """
    from mmtbps.deploy import ONNXEncoder, compare_encoders, export_onnx, quantize_onnx
    from mmtbps.search import ModelEncoder
    from mmtbps.toy import draw_samples

    config, checkpoint, out = _exported(paths, model)
    cfg = config_of(config, cfg_options)
    trained = ModelEncoder(cfg, checkpoint)
    print(f'{out}: {export_onnx(trained, out, opset)}')
    encoders: dict[str, Encoder] = {
        'torch': trained,
        'onnx': ONNXEncoder(out, trusted_modules=trained.modules),
    }
    if int8:
        small = Path(out) / 'int8'
        quantize_onnx(out, small)
        encoders['int8'] = ONNXEncoder(small, trusted_modules=trained.modules)
        print(f'{small}: {compare_encoders(trained, encoders["int8"], *draw_samples(64))}')
    if evaluate:
        _print_figures(cfg, encoders)


def _exported(paths: tuple[str, ...], model: str | None) -> tuple[str | Path, str | Path, str]:
    """Config, weights and folder that the command line names."""
    from mmtbps.zoo import require_named
    from mmtbps.zoo.models import is_model

    *trained, out = paths or ('',)
    if model is not None and not trained and out:
        return *require_named(model), out
    if model is None and len(trained) == 2:
        return trained[0], trained[1], out
    if model is None and len(trained) == 1 and is_model(trained[0]):
        return *require_named(trained[0]), out
    raise ValueError('Give CONFIG CHECKPOINT OUT, WORK_DIR OUT, NAME OUT, or --model NAME and OUT.')


def _print_figures(cfg: 'Config', encoders: 'dict[str, Encoder]') -> None:
    """Evaluate every encoder on the test set and print its loss against the first one."""
    from mmengine.registry import init_default_scope

    from mmtbps.deploy import evaluate_encoder
    from mmtbps.engine.own_data import apply_own_data
    from mmtbps.registry import DATASETS

    apply_own_data(cfg)
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    reference = None
    for name, encoder in encoders.items():
        figures = evaluate_encoder(encoder, dataset)
        reference = reference or figures
        loss = reference['R@1'] - figures['R@1']
        print(f'{name:5} t2i ' + '  '.join(f'{key} {value:.2f}' for key, value in figures.items()), end='')
        print(f'  (loss in R@1: {loss:.2f})')
