"""The command ``mmtbps``; a command's module, and with it torch, is imported only to run it."""

import difflib
import importlib
import sys

from mmtbps.core.commands import EPILOG, run_command
from mmtbps.version import __version__

__all__ = ['COMMANDS', 'main']

COMMANDS = {
    'search': 'index images, and find those that a sentence describes',
    'models': 'list published models and configs by name',
    'fetch': 'fetch, verify and convert the weights of a published model',
    'convert': "convert a checkpoint of another code base, or one of ours into another's layout",
}
"""Name and purpose of every command; its module in this room has its name."""


def usage() -> str:
    """What ``mmtbps --help`` prints."""
    lines = [f'  {name:10} {purpose}' for name, purpose in COMMANDS.items()]
    return '\n'.join(
        [
            'usage: mmtbps COMMAND ...',
            '',
            'Text-based person search: find people in images by a sentence.',
            '',
            'commands:',
            *lines,
            '',
            'mmtbps COMMAND --help tells more. For example:',
            '  mmtbps search index crops/ --model nam --out gallery',
            '  mmtbps search query gallery "a woman in a red coat with a white bag" --show answer.png',
            '',
            EPILOG,
        ]
    )


def main() -> None:
    """Run the command that the command line names."""
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('-h', '--help'):
        print(usage())
    elif name == '--version':
        print(f'mmtbps {__version__}')
    elif name in COMMANDS:
        del sys.argv[1]
        prog = f'mmtbps {name}'
        run_command(lambda: importlib.import_module(f'.{name}', __name__).main(sys.argv[1:], prog), prog)
    else:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(COMMANDS)}.'
        print(f'mmtbps: there is no command {name!r}; {hint}', file=sys.stderr)
        raise SystemExit(2)
