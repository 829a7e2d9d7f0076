"""Where two records of a scenario part, and the shortest scenario in which they do."""

from dataclasses import replace
from typing import Any

from differential import generate, model
from differential.differences import same_but_for_pythons_words
from differential.scenario import Scenario, play
from support.packages import ORACLE, SCUPPER

WAITS = {"waiting", "decide"}


def disagreement(scenario: Scenario) -> str | None:
    """Say at which step the packages part, and how; `None` where they agree throughout."""
    ours, theirs = play(SCUPPER, scenario), play(ORACLE, scenario)
    for index, step in enumerate(scenario.steps):
        if not agree(scenario, step, ours[index], theirs[index]):
            done = "\n    ".join(repr(each) for each in scenario.steps[: index + 1])
            return (
                f"{scenario.algorithm} {scenario.rates}\n    {done}\nscupper: {ours[index]}\nreference: {theirs[index]}"
            )
    return None


def agree(scenario: Scenario, step: tuple[Any, ...], ours: Any, theirs: Any) -> bool:
    if scenario.kind in generate.COUNTING and len(scenario.rates) > 1:
        # A store tells the rate that is full for longest.
        ours, theirs = without_rate(ours), without_rate(theirs)
    if step[0] in WAITS and len(scenario.rates) > 1:
        # The reference looks at one rate; `test_waits_are_exact_over_all_rates` holds ours to the model.
        ours, theirs = without_wait(ours), without_wait(theirs)
    if same_but_for_pythons_words(ours[0], theirs[0]):
        return bool(ours[1:] == theirs[1:])
    return bool(ours == theirs)


def without_wait(record: Any) -> Any:
    (how, *what), failing = record
    value = what[0]
    if how == "returned" and value[0] == "Decision":
        return ((how, value[:3]), failing)
    if how == "returned" and value[0] == "int":
        return ((how, "a wait"), failing)
    return record


def without_rate(record: Any) -> Any:
    (how, *what), failing = record
    value = what[0]
    if how == "returned" and value[0] == "Decision":
        what = [(*value[:2], "a rate" if value[2] != ("NoneType", None) else None, *value[3:])]
    return ((how, *what), failing != ("NoneType", None))


def shrunk(scenario: Scenario) -> Scenario:
    """Leave out steps, but for those that move the clock, for as long as the packages still part."""
    position = 0
    while position < len(scenario.steps):
        if scenario.steps[position][0] == "at":
            position += 1
            continue
        shorter = replace(scenario, steps=scenario.steps[:position] + scenario.steps[position + 1 :])
        if disagreement(shorter) is None:
            position += 1
        else:
            scenario = shorter
    return scenario


def admitted_before(scenario: Scenario, index: int, record: list[Any]) -> list[tuple[int, int]]:
    """What the steps before `index` had admitted, by the record of a play."""
    admitted: list[tuple[int, int]] = []
    now = 0
    for step, ((how, value, *_), _) in zip(scenario.steps[:index], record):
        if step[0] == "at":
            now = step[1]
        elif step[0] == "flush":
            admitted.clear()
        elif how == "returned" and value in (("bool", True), ("Decision", True, ("NoneType", None), None)):
            timestamp, weight = (step[1], step[2]) if step[0] in ("put", "decide") else (now, step[-1])
            admitted.append((timestamp, weight))
    return admitted


def exact_wait(scenario: Scenario, index: int, record: list[Any]) -> int | None:
    _, now, weight = scenario.steps[index]
    return model.wait(scenario.algorithm, scenario.rates, admitted_before(scenario, index, record), now, weight)
