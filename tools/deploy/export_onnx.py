"""Export a trained retriever as two ONNX graphs with their preprocessing in a JSON, and verify them."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.deploy import ONNXEncoder, compare_encoders, evaluate_encoder, export_onnx, quantize_onnx
from mmtbps.registry import DATASETS
from mmtbps.search import Encoder, ModelEncoder
from mmtbps.toy import draw_samples
from mmtbps.zoo import read_config, require_named


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument(
        'paths', nargs='+', metavar='[CONFIG CHECKPOINT] OUT',
        help='config and checkpoint, unless --model names them; folder for image.onnx, text.onnx and model.json',
    )  # fmt: skip
    parser.add_argument('--model', metavar='NAME', help='a model by name, such as nam')
    parser.add_argument('--int8', action='store_true', help='also write OUT/int8, with weights in 8 bits')
    parser.add_argument('--evaluate', action='store_true', help="evaluate every model on the config's test set")
    parser.add_argument('--opset', type=int, default=17, help="version of ONNX's operators (default: 17)")
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config: key=value ...'
    )
    args = parser.parse_args(argv)
    if len(args.paths) != (1 if args.model else 3):
        parser.error('give CONFIG CHECKPOINT OUT, or --model NAME and OUT')
    *args.trained, args.out = args.paths
    return args


def print_figures(cfg: Config, encoders: dict[str, Encoder]) -> None:
    """Evaluate every encoder on the test set and print its loss against the first one."""
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    reference = None
    for name, encoder in encoders.items():
        figures = evaluate_encoder(encoder, dataset)
        reference = reference or figures
        loss = reference['R@1'] - figures['R@1']
        print(f'{name:5} t2i ' + '  '.join(f'{key} {value:.2f}' for key, value in figures.items()), end='')
        print(f'  (loss in R@1: {loss:.2f})')


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    config, checkpoint = require_named(args.model) if args.model else args.trained
    cfg = read_config(config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    encoders: dict[str, Encoder] = {'torch': ModelEncoder(cfg, checkpoint)}
    print(f'{args.out}: {export_onnx(encoders["torch"], args.out, args.opset)}')
    modules = encoders['torch'].modules
    encoders['onnx'] = ONNXEncoder(args.out, trusted_modules=modules)
    if args.int8:
        small = Path(args.out) / 'int8'
        quantize_onnx(args.out, small)
        encoders['int8'] = ONNXEncoder(small, trusted_modules=modules)
        print(f'{small}: {compare_encoders(encoders["torch"], encoders["int8"], *draw_samples(64))}')
    if args.evaluate:
        print_figures(cfg, encoders)


if __name__ == '__main__':
    run_command(main)
