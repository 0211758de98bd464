"""The list of published weights: where they are, what they are, whose they are, and what to expect of them.

Nothing is redistributed: weights belong to their authors, are fetched from where these put them, and are converted on
the user's machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ['CLIP_NOTICE', 'ENTRIES', 'Entry']

CLIP_NOTICE = (
    'All of these models stem from CLIP, whose model card calls deployment out of scope: test what you build with them '
    'for the people and the place that it is for.'
)
_NO_LICENCE = 'none stated'


@dataclass(frozen=True)
class Entry:
    """Published weights.

    Args:
        name: What commands call them.
        title: What they are.
        layout: Layout of the file, see :mod:`mmtbps.converters`.
        address: Where the file is, pinned to a revision; None if a page must be opened.
        page: Page to open where there is no address.
        size: Bytes of the file; None if nobody has told.
        sha256: Its digest; None if nobody has told, so that it cannot be verified.
        options: Options of the conversion. Defaults to none.
        code_licence: Licence of the authors' code, as stated.
        weights_licence: Licence of the weights, as stated.
        citation: The paper.
        published: R@1 on the data set of the training or fine-tuning, by data set.
        transfer: R@1 without having seen the data set, by data set.
        source: Where the figures are from.
        work_dir: Folder of the training that makes these weights; None for those that are fetched.
    """

    name: str
    title: str
    layout: str
    address: str | None = None
    page: str | None = None
    size: int | None = None
    sha256: str | None = None
    options: tuple[str, ...] = ()
    code_licence: str = _NO_LICENCE
    weights_licence: str = _NO_LICENCE
    citation: str = ''
    published: Mapping[str, float] = field(default_factory=dict)
    transfer: Mapping[str, float] = field(default_factory=dict)
    source: str = ''
    work_dir: str | None = None

    @property
    def licence_line(self) -> str:
        """The licences in one line."""
        return f'{self.title}: licence of the code {self.code_licence}, of the weights {self.weights_licence}.'


_OPENAI = 'https://openaipublic.azureedge.net/clip/models'
_CLIP = dict(
    layout='clip', options=('quick_gelu=true',), code_licence='MIT', weights_licence=_NO_LICENCE,
    citation='Radford et al., ICML 2021 (arXiv 2103.00020)',
)  # fmt: skip
_NAM_HUB = 'https://huggingface.co/datasets/TwT-6/MLLM4Text-ReID/resolve/ceef4b378deaf094c8276ecb6ed8705421010aab'
_NAM = dict(
    layout='irra', size=1_051_378_041, citation='Tan et al., CVPR 2024 (arXiv 2405.04940)',
    transfer={'CUHK-PEDES': 57.61, 'ICFG-PEDES': 38.36, 'RSTPReid': 51.50},
    source='paper; the best epoch on the test set of each data set',
)  # fmt: skip
_DATA_SETS = dict(cuhk='CUHK-PEDES', icfg='ICFG-PEDES', rstp='RSTPReid')


def _clip(name: str, title: str, digest: str, file: str, **rest: object) -> Entry:
    return Entry(name, title, address=f'{_OPENAI}/{digest}/{file}', sha256=digest, **{**_CLIP, **rest})  # type: ignore[arg-type]


def _nam(name: str, file: str, digest: str, best_on: str) -> Entry:
    title = f'NAM, CLIP ViT-B/16 pre-trained on described persons ({best_on})'
    return Entry(name, title, address=f'{_NAM_HUB}/{file}', sha256=digest, **_NAM)  # type: ignore[arg-type]


def _per_set(
    name: str, title: str, pages: Mapping[str, str], figures: Mapping[str, float],
    transfer: Mapping[str, Mapping[str, float]], **common: object,
) -> list[Entry]:  # fmt: skip
    """One entry for each data set that a method was trained on."""
    return [
        Entry(
            f'{name}-{short}', f'{title}, trained on {_DATA_SETS[short]}', page=page,
            published={_DATA_SETS[short]: figures[short]}, transfer=transfer.get(short, {}), **common,  # type: ignore[arg-type]
        )
        for short, page in pages.items()
    ]  # fmt: skip


ENTRIES: tuple[Entry, ...] = (
    _clip(
        'clip-vit-b16', 'CLIP ViT-B/16', '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f',
        'ViT-B-16.pt', transfer={'CUHK-PEDES': 12.65, 'ICFG-PEDES': 6.67, 'RSTPReid': 13.45},
        source='Tan et al., CVPR 2024',
    ),
    _clip(
        'clip-rn50', 'CLIP RN50', 'afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762', 'RN50.pt',
    ),
    _clip(
        'clip-rn101', 'CLIP RN101', '8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599', 'RN101.pt',
    ),
    _nam(
        'nam', 'best2.pth', '2be4974d448edeb243023ea77197f94515d34658b8a882a1c4753311a7dcbe80', 'best on RSTPReid',
    ),
    _nam(
        'nam-best0', 'best0.pth', '40ddedbc3fb416d137243abba774ec60509d550646e785d5a23f0c94a6948680',
        'best on CUHK-PEDES',
    ),
    _nam(
        'nam-best1', 'best1.pth', 'dddcf1444336084a79e80e2359c378c86993da88f0f16dedd0d20385299f0a90',
        'best on ICFG-PEDES',
    ),
    Entry(
        'ham', 'HAM, CLIP ViT-B/16 pre-trained on described persons', 'irra',
        page='https://github.com/sssaury/HAM (Baidu, random100w_2HAMcaptions/best0.pth)',
        citation='HAM, CVPR 2025 (arXiv 2503.09962)',
        transfer={'CUHK-PEDES': 70.15, 'ICFG-PEDES': 59.63, 'RSTPReid': 58.85},
        source='README; the captions follow the style of CUHK-PEDES and ICFG-PEDES',
    ),
    Entry(
        'ga-dms', 'GA-DMS, CLIP ViT-B/16 pre-trained on described persons', 'irra',
        page='https://github.com/xiaolu-luu/GA-DMS (Baidu, best0.pth)', code_licence='MIT',
        citation='GA-DMS, EMNLP 2025',
        transfer={'CUHK-PEDES': 68.34, 'ICFG-PEDES': 54.64, 'RSTPReid': 57.60}, source='paper',
    ),
    *_per_set(
        'irra', 'IRRA',
        dict.fromkeys(('cuhk', 'icfg', 'rstp'), 'https://github.com/anosorae/IRRA (Google Drive, best.pth)'),
        dict(cuhk=73.38, icfg=63.46, rstp=60.20),
        dict(
            cuhk={'ICFG-PEDES': 43.04, 'RSTPReid': 52.55}, icfg={'CUHK-PEDES': 33.90, 'RSTPReid': 47.45},
            rstp={'CUHK-PEDES': 35.25, 'ICFG-PEDES': 33.58},
        ),
        layout='irra', code_licence='MIT', citation='Jiang & Ye, CVPR 2023 (arXiv 2303.12501)',
        source='README; transfer by Tan et al., CVPR 2024, Table 4',
    ),
    *_per_set(
        'tbps-clip', 'TBPS-CLIP',
        dict.fromkeys(
            ('cuhk', 'icfg', 'rstp'),
            'https://github.com/Flame-Chasers/TBPS-CLIP/tree/6160a87 (Google Drive; the links stand in that commit)',
        ),
        dict(cuhk=73.54, icfg=65.05, rstp=61.95), {},
        layout='tbps-clip', code_licence='MIT (by the README)', citation='Cao et al., AAAI 2024 (arXiv 2308.10045)',
        source='paper',
    ),
    *_per_set(
        'rde', 'RDE',
        dict.fromkeys(
            ('cuhk', 'icfg', 'rstp'),
            'https://huggingface.co/Yangsss/RDE (RDE_weights_and_logs.tar, 6.4 GB: unpack it and take best.pth)',
        ),
        dict(cuhk=75.94, icfg=67.68, rstp=65.35), {},
        layout='rde', code_licence='Apache-2.0 (by the README)', weights_licence='Apache-2.0 (by the hub)',
        citation='Qin et al., CVPR 2024 (arXiv 2308.09911)', source='README',
    ),
    *(
        Entry(
            f'textreid-{net}', f'Text-Based Person Search with Limited Data, CLIP {net.upper()}', 'textreid',
            page='https://github.com/BrandonHanx/TextReID (Google Drive)', published=published,
            citation='Han et al., BMVC 2021 (arXiv 2110.10807)', source='paper',
        )
        for net, published in (('rn50', {}), ('rn101', {'CUHK-PEDES': 64.08}))
    ),
    Entry(
        'toy', "the README's model of ToyPEDES", 'mmtbps', page='Run the first command of the README, which trains it',
        code_licence='Apache-2.0', weights_licence='yours', work_dir='work_dirs/cm-moco_tiny_toypedes',
    ),
)  # fmt: skip
"""All of them. Who trained chose the best epoch on the test split, but for CLIP's own."""
