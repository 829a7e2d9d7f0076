"""Random scenarios: the same inputs, the same results."""

from collections import Counter
from dataclasses import replace

import pytest

from differential import generate, model
from differential.compare import admitted_before, disagreement, exact_wait, shrunk
from differential.scenario import Scenario, play
from support.packages import SCUPPER

SEEDS = 2400
CHUNK = 100


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_random_scenarios_give_the_results_of_the_reference(first: int) -> None:
    for seed in range(first, first + CHUNK):
        scenario = generate.scenario(seed)
        if disagreement(scenario) is not None:
            pytest.fail(f"seed {seed}: {disagreement(shrunk(scenario))}")


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK * 4))
def test_waits_are_exact_over_all_rates(first: int) -> None:
    for seed in range(first, first + CHUNK * 4):
        scenario = generate.scenario(seed)
        record = play(SCUPPER, scenario)
        for index, step in enumerate(scenario.steps):
            if step[0] != "waiting" or record[index - 1][0] != ("returned", ("bool", False)):
                continue
            if scenario.steps[index - 1] != ("put", *step[1:]):
                continue
            exact = exact_wait(scenario, index, record)
            expected = ("returned", ("int", -1 if exact is None else exact))
            assert record[index][0] == expected, f"seed {seed}, step {index} of {scenario}"


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK * 4))
def test_verdicts_are_those_of_a_naive_count(first: int) -> None:
    for seed in range(first, first + CHUNK * 4):
        scenario = generate.scenario(seed)
        record = play(SCUPPER, scenario)
        for index, step in enumerate(scenario.steps):
            if step[0] != "put":
                continue
            _, now, weight = step
            admitted = admitted_before(scenario, index, record)
            fits = weight == 0 or model.fits(scenario.algorithm, scenario.rates, admitted, now, weight)
            assert record[index][0] == ("returned", ("bool", fits)), f"seed {seed}, step {index} of {scenario}"


def test_the_scenarios_are_worth_their_time() -> None:
    scenarios = [generate.scenario(seed) for seed in range(SEEDS)]
    met = Counter(
        (scenario.algorithm, len(scenario.rates), result)
        for scenario in scenarios
        for step, (result, _) in zip(scenario.steps, play(SCUPPER, scenario))
        if step[0] == "put"
    )
    for algorithm in generate.ALGORITHMS:
        for count in (1, 2, 3):
            for verdict in (True, False):
                times = met[algorithm, count, ("returned", ("bool", verdict))]
                assert times >= 50, f"{algorithm} with {count} rates said {verdict} {times} times"


@pytest.mark.parametrize("algorithm", generate.ALGORITHMS)
def test_a_window_that_is_one_tick_longer_would_be_seen(algorithm: str) -> None:
    every = map(generate.scenario, range(SEEDS))
    scenarios = [each for each in every if each.algorithm == algorithm and len(each.rates) == 1]
    longer = [
        replace(each, rates=((limit, interval + 1, burst),))
        for each in scenarios
        for limit, interval, burst in each.rates
    ]
    seen = [verdicts(ours) != verdicts(theirs) for ours, theirs in zip(scenarios, longer)]
    assert seen.count(True) >= len(seen) // 20, f"{seen.count(True)} of {len(seen)}"


def verdicts(scenario: Scenario) -> list[object]:
    """What was admitted and how long the denied would wait, without the rates' own text."""
    return [
        result
        for step, (result, _) in zip(scenario.steps, play(SCUPPER, scenario))
        if step[0] in ("put", "acquire", "waiting")
    ]
