"""Parity with the public codes of IRRA, RDE and TBPS-CLIP.

``MMTBPS_LADDER_VECTORS`` points these tests at another folder of the same layout.
"""

import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ladder_runs import (
    IRRA,
    IRRA_SIZES,
    RDE,
    TBPS_CLIP,
    as_images,
    build,
    caption,
    clip_heads,
    rates_of,
    samples_of,
    train,
)
from ladder_vectors import FOLDER
from mmengine.optim import build_optim_wrapper
from torch.nn import functional as F

from mmtbps.datasets import IGNORED, AugmentTokens, CLIPTokenizer, DeleteWords, MaskTokens
from mmtbps.engine import clean_probabilities, divide, is_clean
from mmtbps.models import (
    CLIPTextTransformer,
    CLIPViT,
    SDMHead,
    SelfSupervisionHead,
    TALHead,
    Temperature,
    TokenFeatures,
    TokenSelection,
    losses,
)
from mmtbps.models.structures import PairEmbeddings

VISION, TEXT = IRRA_SIZES['vision'], IRRA_SIZES['text']
END = 99  # of IRRA's and RDE's small vocabulary
TBPS_CLIP_END = 63


def load_arrays(path):
    with np.load(FOLDER / path) as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


# ---------------------------------------------------------------------------------------------------------------------
# Losses


def pair_contrast(image, text, _):
    places = torch.arange(len(image))
    rows = losses.identity_aware_info_nce
    return (rows(image, text, places, places, 0.02) + rows(text, image, places, places, 0.02)) / 2


def require_gradients(arrays, names):
    return [arrays[name].detach().clone().requires_grad_() for name in names]


def assert_gradients(expected, **found):
    """Compare with the gradients of a file, by name; what is not there is zero."""
    for name, value in found.items():
        reference = expected.get(name, torch.zeros(())).double()
        torch.testing.assert_close(value, reference.expand_as(value), rtol=1e-11, atol=1e-14, msg=name)


@pytest.mark.parametrize(
    ('name', 'loss'), [('sdm', losses.sdm_loss), ('cmpm', losses.cmpm_loss), ('itc', pair_contrast)]
)
def test_losses_of_irra_and_their_gradients(name, loss):
    arrays = load_arrays('irra_rde/irra_losses.npz')
    image, text = require_gradients(arrays, ('visual', 'text'))
    value = loss(image, text, arrays['labels'])
    value.backward()

    torch.testing.assert_close(value.detach(), arrays[name].double(), rtol=1e-12, atol=0)
    expected = {part: arrays[f'{name}_grad_{part}'] for part in ('visual', 'text')}
    assert_gradients(expected, visual=image.grad, text=text.grad)


def test_identity_loss_of_irra_and_its_gradients():
    arrays = load_arrays('irra_rde/irra_losses.npz')
    inputs = require_gradients(arrays, ('visual', 'text', 'classifier_weight', 'classifier_bias'))
    value = losses.linear_identity_loss(inputs[0], inputs[1], arrays['labels'], *inputs[2:])
    value.backward()

    torch.testing.assert_close(value.detach(), arrays['id'].double(), rtol=1e-12, atol=0)
    names = ('visual', 'text', 'weight', 'bias')
    expected = {name: arrays[f'id_grad_{name}'] for name in names}
    assert_gradients(expected, **{name: part.grad for name, part in zip(names, inputs, strict=True)})


def test_masked_word_loss_and_its_gradient():
    arrays = load_arrays('irra_rde/irra_losses.npz')
    (scores,) = require_gradients(arrays, ('scores',))
    counted = arrays['mlm_labels'] != 0
    value = losses.masked_word_loss(scores[counted], arrays['mlm_labels'][counted])
    value.backward()

    torch.testing.assert_close(value.detach(), arrays['mlm'].double(), rtol=1e-12, atol=0)
    assert_gradients(dict(scores=arrays['mlm_grad_scores']), scores=scores.grad)


HEADS_OF_RDE = dict(TAL=TALHead, SDM=SDMHead)


@pytest.mark.parametrize('kind', HEADS_OF_RDE)
def test_the_loss_of_every_pair(kind):
    arrays = load_arrays('irra_rde/rde_losses.npz')
    pairs = PairEmbeddings(image=arrays['visual'], text=arrays['text'], person_ids=arrays['labels'])

    torch.testing.assert_close(HEADS_OF_RDE[kind]().pair_losses(pairs), arrays[f'{kind}_per'], rtol=1e-12, atol=0)


def test_weighted_triplet_alignment_and_its_gradients():
    arrays = load_arrays('irra_rde/rde_losses.npz')
    image, text = require_gradients(arrays, ('visual', 'text'))
    settings = (arrays['labels'], 0.015, 0.1, arrays['label_hat'])
    value = losses.tal_loss(image, text, *settings)
    value.backward()
    selected = losses.tal_loss(arrays['visual_tse'], arrays['text_tse'], *settings)

    torch.testing.assert_close(torch.stack([value.detach(), selected]), arrays['TAL_rbs'], rtol=1e-12, atol=0)
    expected = {part: arrays[f'TAL_weighted_sum_grad_{part}'] for part in ('visual', 'text')}
    assert_gradients(expected, visual=image.grad, text=text.grad)


CASES_OF_TBPS_CLIP = ('a', 'b', 'c', 'd', 'e')


def temperature_of(scale):
    """A learnt temperature with the scale of a case, also one above the cap."""
    temperature = Temperature(0.01, learnable=True).double()
    with torch.no_grad():
        temperature.logit_scale.fill_(float(scale))
    return temperature


@pytest.mark.parametrize('case', CASES_OF_TBPS_CLIP)
@pytest.mark.parametrize('name', ['nitc', 'ritc', 'citc'])
def test_losses_of_tbps_clip_and_their_gradients(case, name):
    arrays = load_arrays('tbps_clip/losses.npz')
    image, text, second = require_gradients(arrays, ('image', 'text', 'image_mvs'))
    temperature = temperature_of(arrays[f'{case}.logit_scale'])
    views = [(image, arrays['image_second'])]
    if int(arrays[f'{case}.mvs']):
        views.append((second, arrays['image_mvs_second']))
    if name == 'nitc':
        settings = (temperature(), float(arrays[f'{case}.alpha']))
        terms = [
            losses.nitc_loss(view, text, arrays['ids'], teacher, arrays['text_second'], *settings)
            for view, teacher in views
        ]
        value = sum(terms) / len(terms)
    elif name == 'ritc':
        value = losses.ritc_loss(image, text, arrays['ids'], temperature())
    else:
        value = 0.1 * losses.citc_loss(image, text)
    value.backward()

    torch.testing.assert_close(value.detach(), arrays[f'{case}.{name}_loss'].double(), rtol=1e-12, atol=0)
    start = f'{case}.{name}_loss.grad.'
    expected = {key.removeprefix(start): gradient for key, gradient in arrays.items() if key.startswith(start)}
    zero = torch.zeros((), dtype=torch.float64)
    found = dict(image=image, text=text, image_mvs=second, logit_scale=temperature.logit_scale)
    assert_gradients(expected, **{key: zero if part.grad is None else part.grad for key, part in found.items()})


def test_self_supervision_and_its_gradients():
    arrays = load_arrays('tbps_clip/losses.npz')
    head = SelfSupervisionHead(24, 16, loss_weight=0.4).double()
    head.mlp.load_state_dict({name: arrays[f'simclr_mlp.{name}'] for name in head.mlp.state_dict()})
    first, second = require_gradients(arrays, ('aug_a', 'aug_b'))
    views = SimpleNamespace(strong_1=SimpleNamespace(image=first), strong_2=SimpleNamespace(image=second))
    value = head.loss(SimpleNamespace(person_ids=arrays['ids'], views=views))['loss']
    value.backward()

    torch.testing.assert_close(value.detach(), arrays['a.ss_loss'].double(), rtol=1e-12, atol=0)
    expected = {key.removeprefix('a.ss_loss.grad.'): gradient for key, gradient in arrays.items()}
    weights = {f'simclr_mlp.{name}': weight.grad for name, weight in head.mlp.named_parameters()}
    assert_gradients(expected, aug_a=first.grad, aug_b=second.grad, **weights)


# ---------------------------------------------------------------------------------------------------------------------
# Captions: ids, masks, augmentation, cleaning


def load_texts(path):
    with np.load(FOLDER / path) as file:
        return {name: file[name] for name in file.files}


def padded(ids):
    return [*ids, *[0] * (77 - len(ids))]


def encoded(text):
    return dict(tokenizer=CLIPTokenizer(), tokens=[CLIPTokenizer().encode(str(text))])


def test_masks_of_irra():
    texts = load_texts('irra_rde/irra_text.npz')
    names = ('texts', 'caption_ids', 'python_seed', 'mlm_ids', 'mlm_labels', 'caption_ids_after')
    for text, ids, seed, masked, labels, in_place in zip(*(texts[name] for name in names), strict=True):
        assert padded(encoded(text)['tokens'][0]) == ids.tolist()
        random.seed(int(seed))
        view = MaskTokens()(encoded(text))['views']['masked']
        assert padded(view['tokens']) == masked.tolist()
        assert padded([0 if label == IGNORED else label for label in view['labels']]) == labels.tolist()
        random.seed(int(seed))
        results = MaskTokens(in_place=True)(encoded(text))
        assert padded(results['tokens'][0]) == in_place.tolist()
        assert results['views']['masked'] == dict(labels=view['labels'])


def test_augmented_captions_of_rde():
    texts = load_texts('irra_rde/rde_text.npz')
    for text, seed, augmented in zip(texts['texts'], texts['python_seed'], texts['augmented'], strict=True):
        random.seed(int(seed))
        assert padded(AugmentTokens()(encoded(text))['tokens'][0]) == augmented.tolist()


def test_cleaning_and_ids_of_tbps_clip():
    texts = load_texts('tbps_clip/text.npz')
    tokenizer = CLIPTokenizer(cleaning='tbps-clip')
    assert [tokenizer.clean(str(text)) for text in texts['raw']] == texts['clean'].tolist()
    found = [padded(tokenizer.encode(str(text))) for text in texts['tokens.sentence']]
    assert found == texts['tokens.ids'].tolist()


def test_deleted_words_of_tbps_clip(monkeypatch):
    texts = load_texts('tbps_clip/text.npz')
    delete = DeleteWords(float(texts['delete.p']))
    for sentence, draws, expected in zip(
        *(texts[f'delete.{name}'] for name in ('sentence', 'draws', 'result')), strict=True
    ):
        numbers = iter(draws.tolist())
        monkeypatch.setattr(random, 'random', lambda numbers=numbers: next(numbers))
        results = dict(tokenizer=CLIPTokenizer(cleaning='tbps-clip'), caption=str(sentence))
        assert delete(results)['caption'] == str(expected)


# ---------------------------------------------------------------------------------------------------------------------
# RDE: consensus division


@pytest.mark.parametrize('case', ['mild', 'fine', 'rstp', 'all_clean'])
def test_consensus(case):
    arrays = load_texts('irra_rde/rde_consensus.npz')
    thorough = arrays[f'{case}_noisy_rate'] > 0.4 or arrays[f'{case}_dataset'] == 'RSTPReid'
    settings = dict(max_iter=100, tol=1e-4, reg_covar=1e-6) if thorough else {}
    decisions = []
    for part in 'ab':
        loss, expected, clean = (torch.as_tensor(arrays[f'{case}_{name}_{part}']) for name in ('loss', 'prob', 'pred'))
        decisions.append(is_clean(expected))
        assert torch.equal(decisions[-1], clean.bool())
        if case != 'all_clean':  # the public code starts at random, and with one mode that decides
            found = clean_probabilities(loss, **settings)
            torch.testing.assert_close(found, expected.double(), rtol=0, atol=2e-2)
            assert torch.equal(is_clean(found), clean.bool())
    # The vectors' seed of torch is that of the folder.
    weights = torch.as_tensor(arrays[f'{case}_label_hat_torch_seed'])
    found = [divide(*decisions, torch.Generator().manual_seed(seed)) for seed in range(3)]
    assert any(torch.equal(one, weights) for one in found)


@pytest.mark.parametrize('case', [0, 1])
def test_threshold_of_the_consensus(case):
    arrays = load_texts('irra_rde/rde_consensus.npz')
    found = is_clean(torch.as_tensor(arrays[f'split_{case}_prob']))
    assert torch.equal(found.long(), torch.as_tensor(arrays[f'split_{case}_pred']))


# ---------------------------------------------------------------------------------------------------------------------
# Towers: all positions, and a row of the last block's attention

FORWARDS = [(file, stride) for file in ('irra_forward', 'rde_forward') for stride in (8, 6)]


def load_tower(tower, state):
    missing, unexpected = tower.load_state_dict(state, strict=False)
    assert not unexpected
    assert {name.split('.')[-1] for name in missing} <= {'attn_mask', 'quick_gelu', 'positional_grid'}
    return tower.double().eval()


def image_tower(state, stride):
    own = {name.removeprefix('base_model.visual.'): value for name, value in state.items() if '.visual.' in name}
    return load_tower(CLIPViT(VISION, (48, 16), stride=stride, quick_gelu=True), own)


def text_tower(state):
    own = {
        name.removeprefix('base_model.'): value
        for name, value in state.items()
        if name.startswith('base_model.') and '.visual.' not in name
    }
    return load_tower(CLIPTextTransformer(TEXT, quick_gelu=True), own)


@pytest.mark.parametrize(('file', 'stride'), FORWARDS)
def test_image_tokens_and_attention(file, stride):
    case = torch.load(FOLDER / 'irra_rde' / f'{file}.pth', weights_only=True)[f'stride_{stride}']
    images = case['inputs']['images_uint8'].double() / 127.5 - 1
    tower = image_tower(case['state'], stride)
    found = tower(images, with_tokens=True, with_attention=True)

    torch.testing.assert_close(found.tokens, case['image_tokens'], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pooled, case.get('image', case.get('bge_image')), rtol=0, atol=1e-10)
    torch.testing.assert_close(tower(images), found.pooled, rtol=0, atol=1e-12)
    assert found.mask.all()
    if 'image_attention' in case:
        torch.testing.assert_close(found.attention, case['image_attention'][:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(('file', 'stride'), FORWARDS)
def test_text_tokens_and_attention(file, stride):
    case = torch.load(FOLDER / 'irra_rde' / f'{file}.pth', weights_only=True)[f'stride_{stride}']
    tokens = case['inputs']['caption_ids']
    ends = (tokens == END).int().argmax(dim=1)
    tower = text_tower(case['state'])
    found = tower(tokens, ends + 1, with_tokens=True, with_attention=True)
    length = found.tokens.shape[1]

    assert length == int(ends.max()) + 1
    torch.testing.assert_close(found.tokens, case['text_tokens'][:, :length], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pooled, case.get('text', case.get('bge_text')), rtol=0, atol=1e-10)
    torch.testing.assert_close(tower(tokens, ends + 1), found.pooled, rtol=0, atol=1e-12)
    assert torch.equal(found.mask, torch.arange(length) <= ends[:, None])
    if 'text_attention' in case:
        rows = case['text_attention'][torch.arange(len(ends)), ends][:, :length]
        torch.testing.assert_close(found.attention, rows, rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# RDE: global feature and selected tokens

SELECTED = slice(16, None)  # the second half of vectors whose global feature has 16 numbers


def load_rde(name):
    return torch.load(FOLDER / 'irra_rde' / f'rde_{name}.pth', weights_only=True)


def build_selection(state, side, **arguments):
    """A neck with the weights of the public code; its layers that are never used have no place here."""
    used = {'fc.': 'linear.'} if side == 'image' else {'linear.': 'linear.'}
    own = {f'linear.{name.split(".")[1]}': value for name, value in state.items() if name.startswith(tuple(used))}
    own.update({name: value for name, value in state.items() if name.startswith(('mlp.layers.', 'mlp.bns.0.'))})
    neck = TokenSelection(16, 32, context_length=16 if side == 'text' else None, **arguments)
    neck.load_state_dict(own)
    return neck.double()


def features_of(case, side):
    tokens = case['features'].clone().requires_grad_()
    if side == 'image':
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
        pooled = torch.zeros(len(tokens), dtype=torch.int64)
    else:
        pooled = case['tokens'].argmax(dim=1)
        mask = torch.arange(tokens.shape[1]) <= pooled[:, None]
    attention = case['attention'][torch.arange(len(tokens)), pooled].masked_fill(~mask, 0)
    feature = tokens[torch.arange(len(tokens)), pooled].detach()
    return tokens, TokenFeatures(pooled=feature, tokens=tokens, mask=mask, attention=attention)


def selected(neck, features):
    """The pooled feature before it is joined to the global one."""
    found = {}
    neck.join = lambda pooled, chosen: found.setdefault('selected', chosen)
    neck(features)
    return found['selected']


@pytest.mark.parametrize('side', ['image', 'text'])
def test_token_selection_and_its_gradients(side):
    case = load_rde('selection')[side]
    neck = build_selection(case['state'], side)
    tokens, features = features_of(case, side)
    neck.eval()
    torch.testing.assert_close(selected(neck, features), case['out_eval'], rtol=0, atol=1e-10)

    neck.train()
    out = selected(neck, features)
    torch.testing.assert_close(out, case['out_train'], rtol=0, atol=1e-10)
    (out * case['grad_weight']).sum().backward()
    torch.testing.assert_close(tokens.grad, case['grad_features'], rtol=0, atol=1e-10)
    expected = {name.replace('fc.', 'linear.'): value for name, value in case['grad_parameters'].items()}
    assert {name for name, _ in neck.named_parameters()} == set(expected)
    for name, parameter in neck.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-10)
    for name in ('running_mean', 'running_var', 'num_batches_tracked'):
        expected = case['state_after'][f'mlp.bns.0.{name}']
        torch.testing.assert_close(getattr(neck.mlp.bns[0], name), expected, rtol=0, atol=1e-10, check_dtype=False)


@pytest.mark.parametrize('stride', [8, 6])
def test_rde_as_one_vector(stride):
    """Features and the fused similarity, captions of one and of three words included."""
    case = load_rde('forward')[f'stride_{stride}']
    images = case['inputs']['images_uint8'].double() / 127.5 - 1
    tokens = case['inputs']['caption_ids']
    vectors = {}
    for side, prefix, tower, inputs in (
        ('image', 'visul_emb_layer.', image_tower(case['state'], stride), (images,)),
        ('text', 'texual_emb_layer.', text_tower(case['state']), (tokens, tokens.argmax(dim=1) + 1)),
    ):
        own = {name.removeprefix(prefix): value for name, value in case['state'].items() if name.startswith(prefix)}
        neck = build_selection(own, side).eval()
        vectors[side] = neck(tower(*inputs, with_tokens=True, with_attention=True))
        for part, place in (('bge', slice(16)), ('tse', SELECTED)):
            expected = F.normalize(case[f'{part}_{side}'], dim=1)
            torch.testing.assert_close(vectors[side][:, place] * math.sqrt(2), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(vectors[side].norm(dim=1), torch.ones(6).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(vectors['text'] @ vectors['image'].T, case['sims'], rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# Trainings: the recipes, shrunk, through MMEngine's Runner

NAMES = dict(
    sdm_loss='sdm.loss', id_loss='identity.loss', mlm_loss='words.loss', itc_loss='itc.loss',
    bge_loss='bge.loss', tse_loss='tse.loss',
    nitc_loss='nitc.loss', ritc_loss='ritc.loss', citc_loss='citc.loss', ss_loss='self_supervision.loss',
)  # fmt: skip
BASE_RATES = dict(irra=1e-3, rde=1e-4)  # of the vectors


def irra_config(trajectory):
    cfg = IRRA.config(trajectory['steps_total'], trajectory['warmup'])
    cfg.optim_wrapper.optimizer.update(lr=BASE_RATES['irra'], eps=trajectory['adam_eps'])
    heads = cfg.model.heads
    heads.identity.update(num_classes=len(trajectory['init']['classifier.bias']), in_channels=16)
    if 'mlm' in trajectory['loss_names']:
        heads.words.update(vocab_size=100, width=16, depth=2, heads=2, legacy_padding=True)
        cfg.model.text_stream.backbone.legacy_padding = True
    else:  # InfoNCE of pairs instead
        cfg.model.heads = dict(identity=heads.identity, **clip_heads())
        rules = cfg.optim_wrapper.paramwise_cfg
        rules.patterns = [dict(rule, name=rule.name.replace('|words', '|identity')) for rule in rules.patterns[1:]]
    return cfg


def rde_config(trajectory):
    cfg = RDE.config(trajectory['steps_total'], trajectory['warmup'])
    cfg.optim_wrapper.optimizer.update(lr=BASE_RATES['rde'], eps=trajectory['adam_eps'])
    for stream in (cfg.model.image_stream, cfg.model.text_stream):
        stream.neck.update(in_channels=16, out_channels=32, norm_eval=trajectory['mode'] == 'eval')
    cfg.model.text_stream.neck.context_length = 16
    cfg.model.heads.bge.part, cfg.model.heads.tse.part = (0, 16), (16, 48)
    return cfg


def tbps_clip_config(trajectory):
    cfg = TBPS_CLIP.config()
    heads = cfg.model.heads
    if 'ss_loss' in trajectory['steps'][0]['losses']:
        heads.self_supervision.update(in_channels=24, hidden_channels=16)
    else:
        heads.pop('citc'), heads.pop('self_supervision')
        heads.nitc.views = ()
    cfg.param_scheduler[1].end = 3
    return cfg


def batch_of(step, end, imagenet):
    """The batch of a step as the data preprocessor gives it."""
    ids = step.get('caption_ids', step.get('tokens'))
    inputs = dict(images=as_images(step['images_uint8'], imagenet), **caption(ids, end=end))
    pictures = dict(second='images_mvs_uint8', strong_1='images_ss_a_uint8', strong_2='images_ss_b_uint8')
    views = {
        name: dict(images=as_images(step[key], imagenet)) for name, key in pictures.items() if key in step
    }  # fmt: skip
    if 'mlm_ids' in step:
        views['masked'] = caption(step['mlm_ids'], step['mlm_labels'], end=end)
    return dict(inputs=dict(inputs, views=views), data_samples=samples_of(step.get('pids', step.get('ids'))))


TRAJECTORIES = {
    'irra_rde/irra_traj_sdm_id_mlm': (IRRA, irra_config),
    'irra_rde/irra_traj_itc_id': (IRRA, irra_config),
    'irra_rde/rde_traj_clean': (RDE, rde_config),
    'irra_rde/rde_traj_noisy': (RDE, rde_config),
    'irra_rde/rde_traj_published_eval_mode': (RDE, rde_config),
    'tbps_clip/traj_simplified': (TBPS_CLIP, tbps_clip_config),
    'tbps_clip/traj_full': (TBPS_CLIP, tbps_clip_config),
}


@pytest.fixture(scope='module', params=TRAJECTORIES)
def run(request, tmp_path_factory):
    """The trajectory, its recipe, the trained model and what was recorded."""
    trajectory = torch.load(FOLDER / f'{request.param}.pth', weights_only=True)
    recipe, config_of = TRAJECTORIES[request.param]
    cfg = config_of(trajectory)
    model = build(cfg, recipe, trajectory['init'])
    steps = trajectory['steps']
    end = TBPS_CLIP_END if recipe is TBPS_CLIP else END

    def weigh(model, step):
        for head in model.heads.values() if 'label_hat' in steps[step] else ():
            head.pair_weights = steps[step]['label_hat']

    batches = [batch_of(step, end, recipe is TBPS_CLIP) for step in steps]
    work_dir = tmp_path_factory.mktemp('run')
    return trajectory, recipe, model, train(cfg, model, batches, work_dir, 3 if recipe is TBPS_CLIP else 1, weigh)


def test_trajectory_losses_and_rates(run):
    trajectory, recipe, _, recorded = run
    base = BASE_RATES.get(recipe.layout)
    for found, rate, step in zip(recorded.losses, recorded.rates, trajectory['steps'], strict=True):
        expected = {NAMES[name]: float(value) for name, value in step['losses'].items()}
        assert found == pytest.approx({**expected, 'loss': float(step['total'])}, rel=1e-11, abs=0)
        assert rate == pytest.approx(float(step['lr']) if base is None else base * step['lr_factor'], rel=1e-12)


def test_trajectory_gradients_of_the_first_step(run):
    trajectory, recipe, _, recorded = run
    expected = recipe.to_ours(trajectory['steps'][0].get('grads', {}))
    assert expected.keys() in (set(), recorded.gradients.keys())
    for name, value in expected.items():
        torch.testing.assert_close(recorded.gradients[name], value, rtol=0, atol=1e-10, msg=name)


def test_trajectory_final_state(run):
    trajectory, recipe, model, _ = run
    found, expected = model.state_dict(), recipe.to_ours(trajectory['final'])
    trained = {name for name, _ in model.named_parameters()}
    assert trained <= expected.keys() <= found.keys()
    for name, value in expected.items():
        difference = (found[name] - value).abs()
        if name.endswith(
            'in_proj_bias'
        ):  # the gradient of a key's bias is 0 in truth, and Adam makes steps of rounding
            difference = torch.cat(difference.chunk(3)[::2])
        assert difference.max() <= 1e-10, name


def test_trajectory_features(run):
    trajectory, recipe, model, _ = run
    expected = trajectory['eval']
    end = TBPS_CLIP_END if recipe is TBPS_CLIP else END
    inputs = batch_of(dict(expected, pids=torch.zeros(6)), end, recipe is TBPS_CLIP)['inputs']
    model.eval()
    with torch.no_grad():
        image = model.encode_image(inputs['images'])
        text = model.encode_text(inputs['tokens'], inputs['lengths'])
    if 'sims' in expected:
        torch.testing.assert_close(text @ image.T, expected['sims'], rtol=0, atol=1e-10)
    else:
        torch.testing.assert_close(image, expected['image'], rtol=0, atol=1e-10)
        torch.testing.assert_close(text, expected['text'], rtol=0, atol=1e-10)


@pytest.mark.parametrize('name', [name for name in TRAJECTORIES if name.startswith('irra_rde')])
def test_rates_and_decays_of_all_parameters(name):
    trajectory = torch.load(FOLDER / f'{name}.pth', weights_only=True)
    recipe, config_of = TRAJECTORIES[name]
    cfg = config_of(trajectory)
    model = build(cfg, recipe, trajectory['init'])
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    found = {id(weight): (group['lr'], group['weight_decay']) for group in groups for weight in group['params']}
    marks = {key: torch.tensor(float(number)) for number, key in enumerate(trajectory['groups'])}
    settings = list(trajectory['groups'].values())
    ours = recipe.to_ours(marks)

    parameters = dict(model.named_parameters())
    assert ours.keys() == parameters.keys()
    for key, mark in ours.items():
        assert found[id(parameters[key])] == pytest.approx(settings[int(mark)], rel=1e-12), key


@pytest.mark.parametrize('leaf', [IRRA.leaf, RDE.leaf])
def test_learning_rate_of_every_epoch(leaf):
    expected = load_arrays('irra_rde/schedule.npz')['factor_60_epochs_warmup_5']
    assert rates_of(leaf, 60, 1) == pytest.approx((1e-5 * expected).tolist(), rel=1e-9, abs=1e-18)


def test_learning_rate_of_every_iteration():
    expected = load_arrays('tbps_clip/losses.npz')['lr.5_epochs_3_iterations']
    assert rates_of(TBPS_CLIP.leaf, 5, 3) == pytest.approx(expected.tolist(), rel=1e-12)
