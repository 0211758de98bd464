"""Train twice from a config for a few iterations and name the first difference, if there is one."""

from mmtbps.cli import Command
from mmtbps.cli.arguments import CfgOptions, config_of
from mmtbps.core.commands import run_command


def check(config: str, /, *, iterations: int = 20, cfg_options: CfgOptions = None) -> int:
    """Train twice from a config for a few iterations and name the first difference; exit with 1 if there is one.

    Args:
        config: Config file, or its name.
        iterations: Iterations of each run.
    """
    from mmtbps.apis.determinism import find_first_difference

    difference = find_first_difference(config_of(config, cfg_options), iterations)
    if difference is None:
        print(f'Two runs of {iterations} iterations are equal bit by bit.')
        return 0
    print(f'The first difference: {difference}.\nOn a GPU, set randomness.deterministic=True and compare again.')
    return 1


main = Command(check)

if __name__ == '__main__':
    run_command(main)
