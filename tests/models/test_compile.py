"""``compile=...`` in a config: MMEngine compiles ``train_step``."""

import torch
from mmengine.optim import OptimWrapper
from tiny_retriever import cm_moco_config, make_batch

from mmtbps.registry import MODELS


def packed_batch(seed):
    """A batch as the data loader gives it; captions and identities differ from seed to seed."""
    batch = make_batch(4, seed)
    inputs, samples = batch['inputs'], batch['data_samples']
    for sample, tokens, length in zip(samples, inputs['tokens'], inputs['lengths'], strict=True):
        sample.set_field([tokens[:length].tolist()], 'tokens')
    image = (128 + 50 * inputs['images']).clamp(0, 255).to(torch.uint8)
    return dict(inputs=dict(image=image), data_samples=samples)


def test_compiled_steps_equal_eager_ones_and_are_not_compiled_anew():
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    preprocessor = dict(type='TBPSDataPreprocessor', mean=[128] * 3, std=[50] * 3)
    torch._dynamo.reset()
    models, wrappers = [], []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(MODELS.build(cm_moco_config(data_preprocessor=preprocessor, momentum=0.5)).train())
        weights = [weight for weight in models[-1].parameters() if weight.requires_grad]
        wrappers.append(OptimWrapper(torch.optim.Adam(weights, lr=1e-3, fused=True)))
    steps = [models[0].train_step, torch.compile(models[1].train_step, backend=backend)]
    counts = []
    for seed in range(6):
        logged = []
        for model, wrapper, step in zip(models, wrappers, steps, strict=True):
            model.update_key_encoders()
            logged.append(step(packed_batch(seed), wrapper))
            model.queue.commit()
        torch.testing.assert_close(logged[1], logged[0], rtol=1e-4, atol=1e-5)
        counts.append(len(graphs))
    # Lengths of captions become dynamic in the course of the first steps.
    assert counts[0] > 0
    assert counts[3:] == counts[3:4] * 3
    assert models[1].queue.fill == 20
