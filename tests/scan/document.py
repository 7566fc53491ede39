"""The pages as an OpenAPI document, for a fuzzer: every route and method, with ranges wider than any page takes."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Rule

WORDS = {"type": "string", "minLength": 1, "maxLength": 80}
ADDRESSES = {"type": "string", "enum": ["/desk", "//[", "http://[a", "https://a.example", "\\\\a", "/desk//a", "?"]}
CREDENTIALS = {
    "type": "string",
    "enum": [
        "",
        "{",
        "1",
        "null",
        "[]",
        "{}",
        '{"response": 1}',
        '{"response": {"clientDataJSON": "bnVsbA"}, "id": 1}',
    ],
}
SMALL, HUGE = {"minimum": 0, "maximum": 40}, {"minimum": 2**63, "maximum": 2**70}
NUMBERS = {"anyOf": [{"type": "integer", **span} for span in (HUGE, SMALL)]}


def document_of(app: Flask) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for rule in app.url_map.iter_rules():
        path = paths.setdefault(_path(rule), {})
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            path[method.lower()] = _operation(app, rule, method)
    return {"openapi": "3.0.3", "info": {"title": "pages", "version": "1"}, "paths": paths}


def _path(rule: Rule) -> str:
    return "".join(f"{{{part}}}" if dynamic else part for dynamic, part in rule._trace).removeprefix("|")


def _operation(app: Flask, rule: Rule, method: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": f"{method} {rule.endpoint} {rule.rule}",
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": NUMBERS if isinstance(rule._converters[name], IntegerConverter) else WORDS,
            }
            for name in sorted(rule.arguments)
        ],
        "responses": {"default": {"description": "a page"}},
    }
    if method == "POST":
        fields = dict.fromkeys(("value", "key", "blank", "email", "password", "on", "reason", "From", "Body"), WORDS)
        fields |= {"next": ADDRESSES, "credential": CREDENTIALS}
        schema = {"type": "object", "properties": fields, "additionalProperties": WORDS}
        told["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return told
