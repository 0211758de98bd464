"""Parity with the paper's public code.

``MMTBPS_REFERENCE_VECTORS`` points these tests at another folder of the same layout.
"""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from reference_vectors import FOLDER
from tiny_retriever import make_samples

from mmtbps.converters.textreid import mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.evaluation import functional
from mmtbps.models import BiGRUNeck, CLIPResNet, losses
from mmtbps.models.clip.positions import resize_positional_embedding
from mmtbps.registry import MODELS

# ---------------------------------------------------------------------------------------------------------------------
# Retrieval: ranking and the paper's re-ranking


@pytest.fixture(scope='module')
def retrieval():
    with np.load(FOLDER / 'retrieval.npz') as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


def _direction(retrieval, name):
    """Query features, query ids, gallery features, gallery ids."""
    text, image = ((retrieval[f'{m}_feats'], retrieval[f'{m}_pids']) for m in ('text', 'image'))
    return (*text, *image) if name == 't2i' else (*image, *text)


def _assert_figures(found, retrieval, row):
    expected = [*retrieval[f'{row}_cmc'].tolist(), retrieval[f'{row}_mAP'].item()]
    assert [found[name] for name in ('R@1', 'R@5', 'R@10', 'mAP')] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('name', ['t2i', 'i2t'])
def test_ranking(retrieval, name):
    query, query_pids, gallery, gallery_pids = _direction(retrieval, name)
    _assert_figures(functional.rank_metrics(query @ gallery.T, query_pids, gallery_pids), retrieval, name)
    _assert_figures(functional.rank_features(query, query_pids, gallery, gallery_pids), retrieval, name)


@pytest.mark.parametrize('name', ['t2i', 'i2t'])
def test_neighbor_jaccard(retrieval, name):
    query, query_pids, gallery, gallery_pids = _direction(retrieval, name)
    added = 0.05 * functional.neighbor_jaccard(query, gallery, k=5)
    np.testing.assert_allclose(added, retrieval[f'rerank_{name}_add'], rtol=0, atol=1e-6)
    figures = functional.rank_metrics(query @ gallery.T + added, query_pids, gallery_pids)
    _assert_figures(figures, retrieval, f'{name}_rerank')


# ---------------------------------------------------------------------------------------------------------------------
# Losses, Bi-GRU, modified ResNet

RESNET = dict(layers=(1, 1, 1, 1), width=2, heads=2, output_dim=48, input_size=(64, 32))


@pytest.fixture(scope='module')
def loss_values():
    with np.load(FOLDER / 'losses.npz') as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


def test_losses(loss_values):
    values = loss_values
    visual, text, projection = (values[name].double() for name in ('visual', 'text', 'projection'))
    labels = values['labels']
    sides = [(values[f'{side}_pos'].double(), values[f'{side}_neg'].double()) for side in 'vt']
    found = dict(
        instance_eps01=losses.identity_loss(visual, text, labels, projection, 0.1),
        instance_eps0=losses.identity_loss(visual, text, labels, projection, 0.0),
        global_align=losses.global_alignment_loss(visual, text, labels),
        cmpc=losses.cmpc_loss(visual, text, labels, projection),
        cmpm=losses.cmpm_loss(visual, text, labels),
        infonce_T007=sum(losses.info_nce(positive, negatives, 0.07) for positive, negatives in sides),
    )
    # The expected numbers are in single precision.
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {name: values[name].item() for name in found}, rel=1e-6
    )


@pytest.mark.parametrize('case', ['equal', 'mixed'])
def test_bigru(case):
    vectors = torch.load(FOLDER / 'bigru.pth', weights_only=True)
    hidden = vectors['state_dict']['gru.weight_hh_l0'].shape[1]
    neck = BiGRUNeck(vectors['table'].shape[1], hidden, legacy_padding=case == 'mixed')
    neck.load_state_dict(vectors['state_dict'])
    case = vectors[case]
    torch.testing.assert_close(neck(vectors['table'][case['tokens']], case['lengths']), case['out'], rtol=0, atol=1e-6)


def test_modified_resnet():
    vectors = torch.load(FOLDER / 'visual.pth', weights_only=True)
    backbone = CLIPResNet(**RESNET).eval()
    backbone.load_state_dict(vectors['state_dict'])
    torch.testing.assert_close(backbone(vectors['x']), vectors['out'], rtol=0, atol=1e-6)


def test_positional_embedding():
    vectors = torch.load(FOLDER / 'visual.pth', weights_only=True)
    found = resize_positional_embedding(vectors['pos_in'], (24, 8))
    torch.testing.assert_close(found, vectors['pos_out'], rtol=0, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Eight training steps of CM-MoCo


def _build_retriever(trajectory, legacy_padding):
    words, dims = trajectory['table'].shape
    embeddings, classes = trajectory['init']['embed_model.loss_evaluator.projection'].shape
    image, text = dict(in_channels=48, out_channels=embeddings), dict(in_channels=40, out_channels=embeddings)
    neck = dict(image=dict(type='MLPProjection', **image), text=dict(type='MLPProjection', **text))
    model = MODELS.build(
        dict(
            type='CMMoCoRetriever',
            data_preprocessor=dict(type='BaseDataPreprocessor'),
            image_stream=dict(type='ImageStream', backbone=dict(type='CLIPResNet', **RESNET)),
            text_stream=dict(
                type='TextStream',
                backbone=dict(type='WordEmbedding', vocab_size=words, embed_dims=dims, frozen=True),
                neck=dict(type='BiGRUNeck', in_channels=dims, hidden_size=20, legacy_padding=legacy_padding),
            ),
            image_projection=dict(type='LinearProjection', **image),
            text_projection=dict(type='LinearProjection', **text),
            contrastive_neck=neck if trajectory['fc'] else None,
            queue=dict(size=trajectory['queue_size'], dim=embeddings, random_init=True),
            momentum=trajectory['momentum'],
            heads=dict(
                identity=dict(
                    type='IdentityHead',
                    num_classes=classes,
                    in_channels=embeddings,
                    label_smoothing=trajectory['epsilon'],
                ),
                contrastive=dict(type='ContrastiveHead', temperature=trajectory['temperature'], exclude='batch'),
                alignment=dict(type='AlignmentHead'),
            ),
        )
    )
    model.double().load_state_dict(textreid_to_mmtbps(trajectory['init'], trajectory['table'].double()))
    return model


def _as_images(images):
    return images.double() / 127.5 - 1


class _Steps(torch.utils.data.Dataset):
    """One item per step: the batch as the data preprocessor would give it."""

    def __init__(self, steps):
        self.steps = steps

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, index):
        step = self.steps[index]
        inputs = dict(images=_as_images(step['images_uint8']), tokens=step['tokens'], lengths=step['lengths'])
        return dict(inputs=inputs, data_samples=make_samples(step['ids'].tolist()))


class _Recorder(Hook):
    """Keeps the losses that the Runner logs."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({name: value.item() for name, value in outputs.items()})


def _first(items):
    return items[0]


@pytest.fixture(scope='module', params=['equal', 'mixed', 'fc'])
def run(request, tmp_path_factory):
    """The trajectory, the trained model and the losses of its steps."""
    trajectory = torch.load(FOLDER / f'traj_{request.param}.pth', weights_only=True)
    recorder = _Recorder()
    runner = Runner(
        model=_build_retriever(trajectory, legacy_padding=request.param == 'mixed'),
        work_dir=str(tmp_path_factory.mktemp(request.param)),
        train_dataloader=dict(
            dataset=_Steps(trajectory['steps']),
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=_first,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='Adam', lr=1e-3, weight_decay=4e-5),
            constructor='GroupedOptimWrapperConstructor',
            paramwise_cfg=dict(custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0))),
        ),
        default_hooks=dict(checkpoint=None),
        custom_hooks=[dict(type='MomentumUpdateHook'), dict(type='QueueUpdateHook'), recorder],
        default_scope='mmtbps',
        experiment_name=request.param,
    )
    # The weights are those of the trajectory; initialising would make the keys copies.
    runner.model.is_init = True
    runner.train()
    return trajectory, runner.model, recorder.losses


def test_trajectory_losses(run):
    trajectory, _, recorded = run
    assert len(recorded) == len(trajectory['steps']) == 8
    for found, step in zip(recorded, trajectory['steps'], strict=True):
        figures = dict(
            instance_loss=found['identity.loss'],
            infonce_loss=found['contrastive.loss_i2t'] + found['contrastive.loss_t2i'],
            global_align_loss=found['alignment.loss'],
            total=found['loss'],
        )
        assert figures == pytest.approx({**step['losses'], 'total': step['total']}, rel=1e-12, abs=0)


def test_trajectory_final_state(run):
    trajectory, model, _ = run
    found, expected = mmtbps_to_textreid(model.state_dict()), trajectory['final']
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # Its gradient is 0 in truth, and Adam makes steps of rounding errors.
        if not name.endswith('attnpool.k_proj.bias'):
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-10, msg=name)


def test_trajectory_features(run):
    trajectory, model, _ = run
    expected = trajectory['eval']
    model.eval()
    with torch.no_grad():
        image = model.encode_image(_as_images(expected['images_uint8']))
        text = model.encode_text(expected['tokens'], expected['lengths'])
    torch.testing.assert_close(image, expected['image_feats'], rtol=0, atol=1e-10)
    torch.testing.assert_close(text, expected['text_feats'], rtol=0, atol=1e-10)
