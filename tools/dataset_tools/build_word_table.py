"""Encode every word of data sets with a text encoder, for frozen word embeddings."""

import argparse
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.annotation import SPLITS
from mmtbps.datasets.verify import datasets_of_config
from mmtbps.datasets.vocabulary import collect_words
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.models import CLIPWordVectorizer, SentenceTransformerWordVectorizer
from mmtbps.models.clip.weights import read_model_config
from mmtbps.zoo import read_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('out', help='table to write, .npz or .safetensors')
    parser.add_argument(
        'sources', nargs='*', help='configs, or CLASS=FOLDER such as CUHKPEDES=data/CUHK-PEDES; their words are joined'
    )
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=SPLITS, help='splits to read (default: all)')
    encoder = parser.add_mutually_exclusive_group(required=True)
    encoder.add_argument('--clip', metavar='CHECKPOINT', help="file of CLIP weights, or open_clip's tag, e.g. openai")
    encoder.add_argument('--sentence-transformer', metavar='FOLDER', help='folder of a sentence-transformers model')
    encoder.add_argument('--array', metavar='NPY', help='take vectors from a plain array (with --words) instead')
    parser.add_argument(
        '--arch',
        default='ViT-B-32',
        help="open_clip's model of --clip, or the open_clip_config.json of one of your own (default: ViT-B-32)",
    )
    parser.add_argument('--scale', type=float, default=1.0, help='factor on the vectors of --sentence-transformer')
    parser.add_argument('--quick-gelu', action='store_true', help='for CLIP weights that do not tell their activation')
    parser.add_argument('--words', help='file with the word of every row of --array')
    args = parser.parse_args(argv)
    if (args.array is None) != bool(args.sources) or (args.array is None) != (args.words is None):
        parser.error('give sources for --clip and --sentence-transformer, or --array with --words')
    return args


def read_arch(arch: str) -> str | dict[str, Any]:
    """Read the sizes of a text tower from open_clip's config file; names of models stay."""
    if not arch.endswith('.json'):
        return arch
    model = read_model_config(arch)
    return dict(model['text_cfg'], embed_dim=model['embed_dim'])


def build_datasets(source: str) -> list[TBPSDataset]:
    """Build the data sets of a config or of CLASS=FOLDER, without reading them."""
    kind, _, folder = source.partition('=')
    cfg = Config(dict(data=dict(type=kind, data_root=folder))) if folder else read_config(source)
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    return datasets_of_config(dict(train_dataloader=dict(dataset=cfg.data)) if folder else cfg)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    if args.array:
        table = WordVectors.load(args.array, args.words)
    else:
        words = collect_words((data for source in args.sources for data in build_datasets(source)), args.splits)
        encoder = (
            CLIPWordVectorizer(args.clip, read_arch(args.arch), args.quick_gelu)
            if args.clip
            else SentenceTransformerWordVectorizer(args.sentence_transformer, scale=args.scale)
        )
        table = encoder.build_table(words, progress=True)
    table.save(args.out)
    print(f'\n{args.out}: {len(table.words)} words, {table.vectors.shape[1]} numbers each, {table.encoder or "array"}')


if __name__ == '__main__':
    run_command(main)
