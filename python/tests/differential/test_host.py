"""Buckets that the processes of a host share: the same inputs, the same results."""

from dataclasses import replace

import pytest

from differential import generate, test_written
from differential.compare import disagreement, exact_wait, shrunk
from differential.scenario import play
from support.packages import SCUPPER

# A step through a manager is a message to another process.
SEEDS = {"sqlite": 1200, "proxy": 200, "file": 120, "shared memory": 400}
KINDS = pytest.mark.parametrize("kind", SEEDS)
QUARTERS = pytest.mark.parametrize("quarter", range(4))


def seeds(kind: str, quarter: int) -> range:
    return range(quarter, SEEDS[kind], 4)


@KINDS
@QUARTERS
def test_random_scenarios_give_the_results_of_the_reference(kind: str, quarter: int) -> None:
    for seed in seeds(kind, quarter):
        scenario = generate.scenario(seed, kind)
        if disagreement(scenario) is not None:
            pytest.fail(f"seed {seed}: {disagreement(shrunk(scenario))}")


@KINDS
def test_waits_are_exact_over_all_rates(kind: str) -> None:
    asked = 0
    for seed in range(10_000, 10_000 + SEEDS[kind] // 2):
        scenario = generate.scenario(seed, kind)
        record = play(SCUPPER, scenario)
        for index, step in enumerate(scenario.steps):
            denied = index > 0 and record[index - 1][0] == ("returned", ("bool", False))
            if step[0] != "waiting" or not denied or scenario.steps[index - 1] != ("put", *step[1:]):
                continue
            exact = exact_wait(scenario, index, record)
            expected = ("returned", ("int", -1 if exact is None else exact))
            assert record[index][0] == expected, f"seed {seed}, step {index} of {scenario}"
            asked += 1
    assert asked > SEEDS[kind] // 20


# Not those of thousands of messages.
WRITTEN = {name: scenario for name, scenario in test_written.SCENARIOS.items() if len(scenario.steps) < 100}


@pytest.mark.parametrize("kind", ["sqlite", "proxy"])
@pytest.mark.parametrize("name", WRITTEN)
def test_written_scenarios_give_the_results_of_the_reference(kind: str, name: str) -> None:
    scenario = replace(WRITTEN[name], kind=kind)
    if kind == "sqlite" and scenario.algorithm not in generate.ALGORITHMS_OF[kind]:
        scenario = replace(scenario, algorithm="sliding_window_log")
    assert disagreement(scenario) is None
