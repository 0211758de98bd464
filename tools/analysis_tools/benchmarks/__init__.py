"""The benchmarks of tools/analysis_tools/benchmark.py.

Each is a module of this folder with two functions: ``add_arguments(parser)`` and ``run(args)``, which returns the
figures as a dict of numbers (or of such dicts), ratios to the plain implementation included. Its docstring is the
help text.
"""

COMMANDS = {
    'sampler': 'plan of an epoch of P x K batches',
    'pipeline': 'images of a training batch, from file to device',
    'rank': 'exact ranking figures from features',
    'rerank': 'neighbour Jaccard, k-reciprocal encoding, shortlists',
    'growth': 'time and memory of ranking and re-ranking as the gallery grows',
    'search': 'indexes of the search: build time, memory, recall, latency',
    'indexing': "a gallery of images against open_clip's own loop",
    'recipes': 'training steps of the recipes on towers of CLIP, as ratios to plain InfoNCE',
    'step': 'training step of CM-MoCo with the full CLIP ResNet-50, on the CPU',
}
