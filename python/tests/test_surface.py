"""Every name of the reference, its kind, its bases, its members and its signatures."""

import enum
import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any, TypeVar

import pytest

from support import later
from support.packages import ORACLE, SCUPPER

# Members that begin with an underscore and that users override, assign or read nevertheless.
HOOKS = {
    "__enter__",
    "__exit__",
    "__getstate__",
    "__setstate__",
    "_algorithm",
    "_clock",
    "_decision",
    "_last_wait",
    "_leak_interval",
    "_record",
    "_recorded_wait",
    "_try_acquire",
}


def module_names() -> list[str]:
    """The reference's modules, by their path below the package; the package itself is the empty one."""
    found = pkgutil.walk_packages(ORACLE.__path__, ORACLE.__name__ + ".")
    names = [module.name.removeprefix(ORACLE.__name__ + ".") for module in found]
    return ["", *(name for name in names if not name.startswith("_"))]


def load(package: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}" if name else package.__name__)


MODULES = module_names()


def defines(module: ModuleType, name: str) -> bool:
    """Whether a public name belongs to the module's face: listed, or made there."""
    if name in getattr(module, "__all__", ()):
        return True
    thing = getattr(module, name)
    made_here = getattr(thing, "__module__", None) == module.__name__ and not isinstance(thing, TypeVar)
    return not name.startswith("_") and made_here


def face(module: ModuleType) -> set[str]:
    return {name for name in vars(module) if defines(module, name)}


def names_to_compare() -> list[tuple[str, str]]:
    pairs = [(module, name) for module in MODULES for name in sorted(face(load(ORACLE, module)))]
    return [(module, name) for module, name in pairs if name != "__version__"]


def kind(thing: Any) -> str:
    if inspect.isclass(thing):
        return "enum" if issubclass(thing, enum.Enum) else "class"
    if inspect.iscoroutinefunction(thing):
        return "coroutine function"
    if callable(thing) and (inspect.isroutine(thing)):
        return "function"
    if isinstance(thing, property):
        return f"property{' with setter' if thing.fset else ''}"
    return "value"


def binding(owner: type, name: str) -> str:
    """How a member is reached: through the instance, the class, or neither."""
    found = inspect.getattr_static(owner, name)
    return type(found).__name__ if isinstance(found, (staticmethod, classmethod)) else "instance"


def shape(thing: Any) -> list[tuple[str, str, str]]:
    """Names, kinds and defaults of the parameters."""
    parameters = inspect.signature(thing).parameters.values()
    return [(*caller(each), default(each.default)) for each in parameters]


def caller(parameter: inspect.Parameter) -> tuple[str, str]:
    """How a caller reaches a parameter: not at all by a name with an underscore, and never the instance by its name."""
    if parameter.name == "self" or parameter.name.startswith("_"):
        return ("", "POSITIONAL_ONLY")
    return (parameter.name, parameter.kind.name)


def default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if value is ...:
        return "some default"
    return f"{type(value).__name__} {value!r}".replace(ORACLE.__name__, SCUPPER.__name__)


def members(owner: type) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_") or (name in HOOKS and defined(owner, name))}


def defined(owner: type, name: str) -> bool:
    return any(name in vars(each) for each in owner.__mro__ if each is not object)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_lists_what_the_reference_lists(module: str) -> None:
    theirs = getattr(load(ORACLE, module), "__all__", None)
    if theirs is None:
        pytest.fail("it lists nothing") if module in ("", "abstracts", "buckets") else None
        return
    assert set(load(SCUPPER, module).__all__) - later.BEYOND == set(theirs)


def test_a_star_import_brings_what_the_package_lists() -> None:
    space: dict[str, Any] = {}
    exec("from scupper import *", space)
    assert set(space) - {"__builtins__"} == set(SCUPPER.__all__)


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert SCUPPER.__version__ == version("scupper")


@pytest.mark.parametrize(("module", "name"), names_to_compare())
def test_a_name_is_of_the_same_kind(module: str, name: str) -> None:
    ours, theirs = getattr(load(SCUPPER, module), name), getattr(load(ORACLE, module), name)
    assert kind(ours) == kind(theirs)
    if inspect.isclass(theirs) or inspect.isroutine(theirs):
        assert ours.__qualname__ == theirs.__qualname__
        home = theirs.__module__.removeprefix(ORACLE.__name__).removeprefix(".")
        assert getattr(load(SCUPPER, home), theirs.__qualname__) is ours, "one thing, wherever it is imported from"


def classes() -> list[tuple[str, str]]:
    return [
        (module, name)
        for module, name in names_to_compare()
        if inspect.isclass(found := getattr(load(ORACLE, module), name))
        and found.__module__ == load(ORACLE, module).__name__
    ]


@pytest.mark.parametrize(("module", "name"), classes())
class TestClass:
    @staticmethod
    def pair(module: str, name: str) -> tuple[type, type]:
        return getattr(load(SCUPPER, module), name), getattr(load(ORACLE, module), name)

    def test_it_has_the_same_bases_in_the_same_order(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        expected = [each.__name__ for each in theirs.__mro__]
        assert [each.__name__ for each in ours.__mro__ if each.__name__ in expected] == expected

    def test_the_same_methods_are_abstract(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        assert getattr(ours, "__abstractmethods__", None) == getattr(theirs, "__abstractmethods__", None)

    def test_it_is_made_with_the_same_arguments(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        if not issubclass(theirs, enum.Enum):
            more = {(each, "KEYWORD_ONLY") for each in later.KEYWORDS.get(name, ())}
            assert [each for each in shape(ours) if each[:2] not in more] == shape(theirs)

    def test_it_has_every_member(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        assert members(theirs) - set(dir(ours)) == later.MEMBERS.get(name, set())

    def test_it_has_no_member_that_the_reference_lacks(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        # An attribute of an instance there may be a property here.
        more = {each for each in dir(ours) if not each.startswith("_")} - set(dir(theirs))
        assert more <= INSTANCE_ATTRIBUTES.get(name, set()) | later.MORE_MEMBERS.get(name, set())

    def test_its_members_are_of_the_same_kind_and_shape(self, module: str, name: str) -> None:
        ours, theirs = self.pair(module, name)
        wrong = {}
        for member in members(theirs) - later.MEMBERS.get(name, set()):
            there, here = inspect.getattr_static(theirs, member), inspect.getattr_static(ours, member)
            expected, found = description(theirs, member, there), description(ours, member, here)
            if expected == "value" and found == "property with setter":
                # It is read and assigned all the same.
                continue
            if not alike(expected, found):
                wrong[member] = (expected, found)
        assert wrong == {}, "(reference, here)"


# What the reference's instances carry without its classes showing it.
INSTANCE_ATTRIBUTES = {
    "InMemoryBucket": {"items"},
    "Limiter": {"buffer_ms", "bucket_factory", "lock"},
    "MultiprocessBucket": {"items", "mp_lock"},
    "SQLiteBucket": {"conn", "lock"},
    "Rate": {"limit", "interval", "burst"},
}


def description(owner: type, member: str, static: Any) -> Any:
    value = static if isinstance(static, property) else getattr(owner, member)
    if isinstance(value, enum.Enum):
        return value.value
    if callable(value) and inspect.isroutine(value):
        return kind(value), binding(owner, member), shape(value)
    return kind(value)


def alike(expected: Any, found: Any) -> bool:
    """Whether a call that suits the reference suits here too."""
    if not isinstance(expected, tuple) or not isinstance(found, tuple):
        return bool(expected == found)
    (*how, wanted), (*how_here, taken) = expected, found
    fits = [theirs == ours or (theirs[1:] == ("POSITIONAL_ONLY", ours[2])) for theirs, ours in zip(wanted, taken)]
    return how == how_here and len(wanted) == len(taken) and all(fits)


def functions() -> list[tuple[str, str]]:
    return [
        (module, name)
        for module, name in names_to_compare()
        if inspect.isroutine(found := getattr(load(ORACLE, module), name))
        and found.__module__ == load(ORACLE, module).__name__
    ]


@pytest.mark.parametrize(("module", "name"), functions())
def test_a_function_takes_the_same_arguments(module: str, name: str) -> None:
    ours, theirs = getattr(load(SCUPPER, module), name), getattr(load(ORACLE, module), name)
    assert shape(ours) == shape(theirs)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_makes_no_name_that_the_reference_lacks(module: str) -> None:
    assert face(load(SCUPPER, module)) - set(dir(load(ORACLE, module))) <= later.BEYOND


def test_instances_carry_the_attributes_of_the_reference() -> None:
    def attributes(package: ModuleType) -> dict[str, set[str]]:
        bucket = package.InMemoryBucket([package.Rate(2, 1000)])
        limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
        state_bucket = package.StateBucket([package.Rate(2, 1000)])
        made = [
            bucket,
            limiter,
            limiter.bucket_factory,
            state_bucket,
            package.BucketAsyncWrapper(bucket),
            package.Rate(1, 2),
            package.RateItem("a", 1),
            package.Decision(),
        ]
        return {type(each).__name__: {name for name in dir(each) if not name.startswith("_")} for each in made}

    ours, theirs = attributes(SCUPPER), attributes(ORACLE)
    assert {name: theirs[name] - ours[name] for name in theirs} == {name: set() for name in theirs}


def test_the_values_of_the_durations_are_those_of_the_reference() -> None:
    theirs = {each.name: each.value for each in ORACLE.Duration}
    assert {each.name: each.value for each in SCUPPER.Duration} == theirs
    assert not issubclass(SCUPPER.Duration, int)


def test_the_waiting_call_stays_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(SCUPPER.Limiter.try_acquire_async)
    limiter = SCUPPER.Limiter(SCUPPER.Rate(1, 1000))
    assert inspect.iscoroutinefunction(limiter.try_acquire_async)
    limiter.close()


def test_the_package_says_that_it_is_typed() -> None:
    from importlib.resources import files

    assert files(SCUPPER).joinpath("py.typed").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_a_logger_is_named_after_the_package(module: str) -> None:
    theirs = getattr(load(ORACLE, module), "logger", None)
    ours = getattr(load(SCUPPER, module), "logger", None)
    expected = theirs and theirs.name.replace(ORACLE.__name__, SCUPPER.__name__)
    assert (ours and ours.name) == expected
