"""An application with planted flaws: a scanner that does not find them has found nothing elsewhere either.

`python -m tests.scan.control PORT`; one SQL injection, one script that comes back, one number that breaks it.
"""

from __future__ import annotations

import sqlite3
import sys

from flask import Flask, request


def control() -> Flask:
    app = Flask("control")
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute("CREATE TABLE thing (code TEXT, words TEXT)")
    database.executemany("INSERT INTO thing VALUES (?, ?)", [("a", "one"), ("b", "two")])

    @app.get("/")
    def start() -> str:
        return '<a href="/search?code=a">search</a> <a href="/said?words=hello">say</a>'

    @app.get("/search")
    def search() -> str:
        statement = "SELECT words FROM thing WHERE code = '" + request.args.get("code", "") + "'"  # noqa: S608
        return "<p>" + ", ".join(row[0] for row in database.execute(statement)) + "</p>"

    @app.get("/said")
    def said() -> str:
        return "<p>" + request.args.get("words", "") + "</p>"

    @app.get("/thing/<int:n>")
    def thing(n: int) -> str:
        return str(database.execute("SELECT ?", [n]).fetchone())

    return app


if __name__ == "__main__":
    control().run(port=int(sys.argv[1]))
