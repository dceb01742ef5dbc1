"""The OpenAPI description, generated from the operations: complete because nothing else routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from quarterdeck.kernel.messages import Query
from quarterdeck.runtime.policy import Operation, Permission
from quarterdeck.server.problems import TITLES, Problem

PREFIX = "/api/v1"
REF = "#/components/schemas/{name}"
PROBLEMS = (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503)
_PARAMETER = re.compile(r"\{(\w+)\}")

Json = dict[str, object]


class PlainRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that no operation made."""

    path: str
    method: str
    summary: str
    permission: Permission
    media: str = "application/json"


def describe(
    operations: Sequence[Operation], *, plain: Sequence[PlainRoute], version: str
) -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    kinds = {kind for operation in operations for kind in (operation.input, operation.output)}
    ordered = sorted(kinds, key=lambda kind: str(getattr(kind, "__name__", kind)))
    _, schemas = msgspec.json.schema_components([*ordered, Problem], ref_template=REF)
    for operation in operations:
        _take_numbers(schemas[operation.input.__name__])
    paths: dict[str, Json] = {}
    for operation in operations:
        path = paths.setdefault(PREFIX + operation.path, {})
        path[operation.method.lower()] = _operation(operation, schemas)
    for route in plain:
        described = _common(route.summary, route.permission, name=_name(route))
        described["responses"] = {
            "200": {"description": "Done", "content": {route.media: {}}},
            **_problems(),
        }
        paths.setdefault(route.path, {})[route.method.lower()] = described
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Quarterdeck",
            "version": version,
            "description": (
                "Money, prices and quantities are decimal text; instants are RFC 3339. "
                "Every refusal is a problem document with a stable code."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "responses": {"Problem": _problem_response()},
            "securitySchemes": {
                "agentKey": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "qd_session"},
            },
        },
    }
    return msgspec.json.encode(document)


def _operation(operation: Operation, schemas: Mapping[str, Json]) -> Json:
    described = _common(operation.summary, operation.permission, name=operation.name)
    described["tags"] = [operation.name.split(".")[0]]
    own = schemas[operation.input.__name__]
    properties = own.get("properties", {})
    required = own.get("required", ())
    if not isinstance(properties, dict) or not isinstance(required, list | tuple):
        raise TypeError(f"{operation.name}: its input is not an object")
    in_path = _PARAMETER.findall(operation.path)
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": properties[name]}
        for name in in_path
    ]
    rest = {name: schema for name, schema in properties.items() if name not in in_path}
    if operation.method == "GET":
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "schema": schema,
                **({"style": "form", "explode": False} if _is_list(schema) else {}),
            }
            for name, schema in rest.items()
        ]
    else:
        schema: Json = {"$ref": REF.format(name=operation.input.__name__)}
        if in_path:
            schema = {
                "type": "object",
                "properties": rest,
                "additionalProperties": False,
                "required": [name for name in required if name not in in_path],
            }
        described["requestBody"] = {
            "required": any(name not in in_path for name in required),
            "content": {"application/json": {"schema": schema}},
        }
    if parameters:
        described["parameters"] = parameters
    described["x-effect"] = "read" if issubclass(operation.input, Query) else "command"
    described["responses"] = {
        "201" if operation.created else "200": {
            "description": "The answer",
            "headers": {
                "X-Quarterdeck-Step": {
                    "description": "The step after which the answer is true",
                    "schema": {"type": "integer"},
                }
            },
            "content": {"application/json": {"schema": _output(operation)}},
        },
        **_problems(),
    }
    return described


def _take_numbers(schema: object) -> None:
    """Say of an input's decimals that a JSON number is taken too; answers are always text."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            schema["type"] = ["string", "number"]
        for part in schema.values():
            _take_numbers(part)
    elif isinstance(schema, list):
        for part in schema:
            _take_numbers(part)


def _is_list(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "array"


def _output(operation: Operation) -> Json:
    name = getattr(operation.output, "__name__", None)
    if name is None:
        (schema,), _ = msgspec.json.schema_components([operation.output], ref_template=REF)
        return dict(schema)
    return {"$ref": REF.format(name=name)}


def _common(summary: str, permission: Permission, *, name: str) -> Json:
    public = permission is Permission.PUBLIC
    return {
        "operationId": name,
        "summary": summary,
        "x-permission": permission.value,
        "security": [] if public else [{"agentKey": []}, {"session": []}],
    }


def _name(route: PlainRoute) -> str:
    return "server." + (route.path.strip("/").replace("/", "_").replace(".", "_") or "root")


def _problems() -> Json:
    return {str(status): {"$ref": "#/components/responses/Problem"} for status in PROBLEMS}


def _problem_response() -> Json:
    return {
        "description": "Refused: " + "; ".join(f"{n} {TITLES[n]}" for n in PROBLEMS),
        "content": {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}},
    }
