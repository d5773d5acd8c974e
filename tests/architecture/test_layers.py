"""Imports point down the layers of ARCHITECTURE.md, and nothing else is public than we say."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import types
from pathlib import Path

import pytest

import anyzarr

PACKAGE = Path(anyzarr.__file__).parent

# Bottom first. A module may import from its own layer and from those before it.
LAYERS: list[set[str]] = [
    {"_os_errors", "_ragged", "errors"},
    {"abc", "config", "_atomic", "_optional", "_progress"},
    {"_dlpack", "_parallel", "_streams", "_url"},
    {"_ozx"},
    {"stores"},
    {"metadata"},
    {"indexing"},
    {"engines"},
    {"crud"},
    {"_interop"},
    {"_nodes"},
    {"_pyramid"},
    {"vectors"},
    {"ome"},
    {"_xarray"},
    {"readers"},
    {"_convert"},
    {"_validate"},
    {"_info"},
    {"_bench"},
    {"_view"},
    {"_cli"},
]
# Shipped for people who write a store or an engine; nothing in the library imports it.
BESIDE = {"testing"}
LEVEL = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(tree: ast.Module) -> list[tuple[int, str]]:
    """Return (line, name) of every import of ours, those for type checkers alone left out."""
    skip = {id(n) for i in ast.walk(tree) if is_type_checking(i) for n in ast.walk(i)}
    found = []
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            module = node.module or ""
            if module == "anyzarr":
                found += [(node.lineno, f"anyzarr.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, module))
    return [(line, name) for line, name in found if name.split(".")[0] == "anyzarr"]


def test_every_module_has_a_layer() -> None:
    units = {unit(path) for path in modules()} - {"__init__", "__main__"}
    assert units == set(LEVEL) | BESIDE


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = unit(path)
    if here in BESIDE or here in {"__init__", "__main__"}:
        return  # may look at anything: nothing imports them
    wrong = []
    for line, name in imports(ast.parse(path.read_text())):
        there = name.split(".")[1] if "." in name else "__init__"
        if there in {"__init__", "__version__"}:
            continue
        if there not in LEVEL or LEVEL[there] > LEVEL[here]:
            wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 600


PUBLIC = [
    "anyzarr",
    *(
        f"anyzarr.{module.name}"
        for module in pkgutil.iter_modules(anyzarr.__path__)
        if not module.name.startswith("_")
    ),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_what_is_visible(name: str) -> None:
    module = importlib.import_module(name)
    exported = module.__all__
    assert exported == sorted(exported, key=by_kind_then_name), "__all__ is sorted"
    assert len(set(exported)) == len(exported)
    for public in exported:
        assert getattr(module, public, None) is not None, public
    allowed = {"annotations"}
    visible = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and not isinstance(value, types.ModuleType)
        and key not in allowed
        and (not hasattr(value, "__module__") or str(value.__module__).startswith("anyzarr"))
        and is_defined_by_us(module, value)
    }
    assert visible <= set(exported), visible - set(exported)


def by_kind_then_name(name: str) -> tuple[bool, bool, str]:
    """The linter's order: constants, classes, everything else."""
    return not name.isupper(), not name[0].isupper(), name


def is_defined_by_us(module: types.ModuleType, value: object) -> bool:
    """Whether a name is part of the package's own surface rather than an import for its use."""
    home = getattr(value, "__module__", None)
    if hasattr(module, "__path__"):
        return isinstance(home, str) and home.startswith(module.__name__)
    return home == module.__name__


def public_objects() -> list[tuple[str, object]]:
    found = []
    for name in PUBLIC:
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            if isinstance(value, type | types.FunctionType):
                found.append((f"{name}.{public}", value))
    return found


@pytest.mark.parametrize(
    ("name", "value"), public_objects(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_public_objects_are_documented(name: str, value: object) -> None:
    assert (value.__doc__ or "").strip(), f"{name} has no docstring"
