"""``compile=...`` in a config: the streams are compiled."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_retriever import cm_moco_config, dual_stream_config, make_batch
from torch import nn

from mmtbps.registry import MODELS


def packed_batch(seed):
    """A batch as the data loader gives it; captions and identities differ from seed to seed."""
    batch = make_batch(4, seed)
    inputs, samples = batch['inputs'], batch['data_samples']
    for sample, tokens, length in zip(samples, inputs['tokens'], inputs['lengths'], strict=True):
        sample.set_field([tokens[:length].tolist()], 'tokens')
    image = (128 + 50 * inputs['images']).clamp(0, 255).to(torch.uint8)
    return dict(inputs=dict(image=image), data_samples=samples)


@MODELS.register_module()
class OneConvolution(nn.Module):
    """As small a stream of images as can be."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 24, 8, stride=8)

    def forward(self, images):
        return self.convolution(images).relu().mean(dim=(2, 3))


PREPROCESSOR = dict(type='TBPSDataPreprocessor', mean=[128] * 3, std=[50] * 3)


@pytest.fixture
def graphs():
    """What Dynamo hands to the backend."""
    torch._dynamo.reset()
    yield []
    torch._dynamo.reset()


def counting_backend(graphs):
    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    return backend


def training_of(config):
    torch.manual_seed(0)
    model = MODELS.build(config).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return model, OptimWrapper(torch.optim.Adam(weights, lr=1e-3))


def train_step(model, wrapper, step):
    # Another learning rate for every step, as during a warm-up.
    wrapper.param_groups[0]['lr'] = 1e-3 * (step + 1)
    if hasattr(model, 'queue'):
        model.update_key_encoders()
    losses = model.train_step(packed_batch(step), wrapper)
    if hasattr(model, 'queue'):
        model.queue.commit()
    return losses


@pytest.mark.parametrize('make_config', [dual_stream_config, cm_moco_config])
def test_compiled_steps_equal_eager_ones_and_are_not_compiled_anew(graphs, make_config):
    (eager, eager_wrapper), (compiled, wrapper) = (
        training_of(make_config(data_preprocessor=PREPROCESSOR)) for _ in range(2)
    )
    names = list(compiled.state_dict())
    compiled.compile(backend=counting_backend(graphs))
    counts = []
    for step in range(8):
        logged = train_step(compiled, wrapper, step)
        torch.testing.assert_close(logged, train_step(eager, eager_wrapper, step), rtol=1e-4, atol=1e-5)
        counts.append(len(graphs))
    assert list(compiled.state_dict()) == names
    # Per pair of streams: the images, and the words of captions of the first length and of any other.
    pairs = 1 if make_config is dual_stream_config else 2
    assert counts[0] == 2 * pairs
    assert counts[-1] == counts[2] == 3 * pairs


def test_evaluation_stays_eager(graphs):
    model, _ = training_of(dual_stream_config(data_preprocessor=PREPROCESSOR))
    model.compile(backend=counting_backend(graphs))
    model.eval()
    with torch.no_grad():
        samples = model.val_step(packed_batch(0))
    assert len(samples) == 4
    assert graphs == []


def test_steps_of_the_default_backend(graphs):
    """Real kernels, few of them: compiling takes its time."""
    config = dual_stream_config(data_preprocessor=PREPROCESSOR, image_stream=dict(type='OneConvolution'))
    (eager, eager_wrapper), (compiled, wrapper) = training_of(config), training_of(config)
    compiled.compile()
    for step in range(2):
        expected = train_step(eager, eager_wrapper, step)
        torch.testing.assert_close(train_step(compiled, wrapper, step), expected, rtol=1e-4, atol=1e-5)
