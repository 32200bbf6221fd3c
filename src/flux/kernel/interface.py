"""A contract's interface as other tools read it: ABI JSON and a Solidity interface, derived from the declarations.

Sources: Solidity ABI specification, "JSON"; the Solidity language's interface syntax.
"""

import json
from typing import Any, get_args, get_origin

from flux.kernel.abi_types import abi_type, camel, elementary, fields, output_kinds, strip
from flux.kernel.contract import Contract, Method, Mutability
from flux.kernel.errors import COMMON_ERRORS, Revert
from flux.kernel.events import Event, is_indexed
from flux.kernel.record import Record
from flux.kernel.revert_data import error_fields


def parameter(name: str, annotation: object) -> dict[str, Any]:
    """One ABI JSON parameter, tuples with their components."""
    annotation = strip(annotation)
    described: dict[str, Any] = {"name": camel(name), "type": abi_type(annotation)}
    item, suffix = annotation, ""
    while get_origin(item) in (list, tuple):
        item, suffix = get_args(item)[0], suffix + "[]"
    if isinstance(item, type) and issubclass(item, Record):
        described["type"] = "tuple" + suffix
        described["internalType"] = f"struct {item.__name__}{suffix}"
        described["components"] = [parameter(field, kind) for field, kind in fields(item).items()]
    return described


def method_json(method: Method) -> dict[str, Any]:
    """ABI JSON entry of a method."""
    return {
        "type": "function",
        "name": method.name,
        "stateMutability": method.declaration.mutability.value,
        "inputs": [parameter(name, kind) for name, kind in method.arguments.items()],
        "outputs": [parameter(name, kind) for name, kind in output_kinds(method.returns).items()],
    }


def event_json(event: type[Event]) -> dict[str, Any]:
    """ABI JSON entry of an event."""
    inputs = [{**parameter(name, kind), "indexed": is_indexed(kind)} for name, kind in fields(event).items()]
    return {"type": "event", "name": event.__name__, "anonymous": False, "inputs": inputs}


def error_json(error: type[Revert]) -> dict[str, Any]:
    """ABI JSON entry of a custom error."""
    inputs = [parameter(name, kind) for name, kind in error_fields(error).items()]
    return {"type": "error", "name": error.__name__, "inputs": inputs}


def abi_json(contract: type[Contract]) -> list[dict[str, Any]]:
    """The contract's ABI, sorted by kind and name, so that it changes only when the contract does."""
    methods = sorted((method_json(method) for method in contract.methods.values()), key=lambda entry: entry["name"])
    events = sorted((event_json(event) for event in contract.events), key=lambda entry: entry["name"])
    errors = {error.__name__: error for error in (*COMMON_ERRORS, *contract.errors)}
    return [*methods, *events, *(error_json(errors[name]) for name in sorted(errors))]


def abi_text(contract: type[Contract]) -> str:
    """The ABI as a file's text."""
    return json.dumps(abi_json(contract), indent=1) + "\n"


def structs(contract: type[Contract]) -> list[type[Record]]:
    """Records used by the contract's methods and events, dependencies first, each once."""
    found: list[type[Record]] = []

    def visit(annotation: object) -> None:
        annotation = strip(annotation)
        while get_origin(annotation) in (list, tuple):
            annotation = get_args(annotation)[0]
        if isinstance(annotation, type) and issubclass(annotation, Record) and annotation not in found:
            for kind in fields(annotation).values():
                visit(kind)
            found.append(annotation)

    for method in sorted(contract.methods.values(), key=lambda method: method.name):
        for kind in (*method.arguments.values(), *output_kinds(method.returns).values()):
            visit(kind)
    for event in contract.events:
        for kind in fields(event).values():
            visit(kind)
    return found


def solidity_type(annotation: object) -> str:
    """The Solidity name of a type."""
    annotation = strip(annotation)
    if get_origin(annotation) in (list, tuple):
        return solidity_type(get_args(annotation)[0]) + "[]"
    if elementary(annotation) is not None:
        return abi_type(annotation)
    assert isinstance(annotation, type)
    return annotation.__name__


def _sentence(documented: object) -> str:
    return (getattr(documented, "__doc__", None) or "").strip().split("\n")[0]


def _data_location(kind: object, location: str) -> str:
    name = solidity_type(kind)
    return f"{name} {location}" if name in ("string", "bytes") or not elementary(strip(kind)) else name


def _function(contract: type[Contract], method: Method) -> str:
    arguments = ", ".join(
        f"{_data_location(kind, 'calldata')} {camel(name)}" for name, kind in method.arguments.items()
    )
    mutability = method.declaration.mutability
    modifier = "" if mutability is Mutability.NONPAYABLE else f" {mutability.value}"
    outputs = ", ".join(_data_location(kind, "memory") for kind in output_kinds(method.returns).values())
    returns = f" returns ({outputs})" if outputs else ""
    comment = _sentence(getattr(contract, method.attribute))
    return f"    /// {comment}\n    function {method.name}({arguments}) external{modifier}{returns};\n"


def solidity_interface(contract: type[Contract]) -> str:
    """A Solidity interface that compiles and documents the contract."""
    parts = ["// SPDX-License-Identifier: Apache-2.0\npragma solidity ^0.8.20;\n\n"]
    parts.append(f"/// {_sentence(contract)} Address: 0x{contract.address.hex()}\ninterface I{contract.name} {{\n")
    for record in structs(contract):
        members = "".join(f" {solidity_type(kind)} {camel(name)};" for name, kind in fields(record).items())
        parts.append(f"    /// {_sentence(record)}\n    struct {record.__name__} {{{members} }}\n\n")
    for event in contract.events:
        members = ", ".join(
            f"{solidity_type(kind)}{' indexed' if is_indexed(kind) else ''} {camel(name)}"
            for name, kind in fields(event).items()
        )
        parts.append(f"    /// {_sentence(event)}\n    event {event.__name__}({members});\n\n")
    for error in contract.errors:
        members = ", ".join(f"{solidity_type(kind)} {camel(name)}" for name, kind in error_fields(error).items())
        parts.append(f"    /// {_sentence(error)}\n    error {error.__name__}({members});\n\n")
    methods = sorted(contract.methods.values(), key=lambda method: method.name)
    parts.append("\n".join(_function(contract, method) for method in methods))
    parts.append("}\n")
    return "".join(parts)
