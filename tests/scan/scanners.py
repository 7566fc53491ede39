"""What do wapiti and sqlmap find? Each is a program of its own, run from outside; a finding is one line of words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# wapiti's modules, without those that ask an address on the internet (ssrf, xxe, wapp, nikto) or guess for hours
LOOKS = "csrf,cookieflags,csp,http_headers,methods"
ATTACKS = "blindsql,crlf,exec,file,htaccess,permanentxss,redirect,shellshock,sql,xss"
WAPITI = """
import fnmatch, re
from wapitiCore.net import crawler
from wapitiCore.main.wapiti import wapiti_main
crawler.wildcard_translate = lambda pattern: re.compile(fnmatch.translate(pattern))
wapiti_main()
"""  # 3.0.4 cannot leave an address out on Python 3.11, where its pattern is an error; and one of ours signs out
MOST_SECONDS = int(os.environ.get("SCAN_SECONDS", "60"))  # of one crawl, and of one module of attacks
INFO = (  # what wapiti tells of a service that is reached without TLS, and of a header that browsers have given up
    "X-XSS-Protection is not set",
    "Strict-Transport-Security is not set",
    "Secure flag is not set in the cookie",
)


def installed(scanner: str) -> bool:
    return shutil.which(scanner) is not None


@dataclass(frozen=True)
class Target:
    """One request. An asterisk stands behind each value that sqlmap is to try."""

    method: str
    path: str
    data: str = ""


def wapiti(address: str, cookie: str = "", *, modules: str, start: Sequence[str] = ()) -> list[str]:
    """Crawl and attack an application, as who holds these cookies. start: paths that no page leads to."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = ["/usr/bin/python3", "-c", WAPITI, "-u", f"{address}/", "-m", modules, "-f", "json"]
        command += ["-o", str(told), "--no-bugreport", "-v", "0", "-S", "normal", "--flush-session"]
        command += ["--store-session", f"{folder}/session", "--store-config", f"{folder}/config"]
        command += ["--max-scan-time", str(MOST_SECONDS), "--max-attack-time", str(MOST_SECONDS)]
        command += ["-x", f"{address}/desk/logout", "-x", f"{address}/static/*"]
        for path in start:
            command += ["-s", f"{address}{path}"]
        if cookie:
            command += ["-H", f"Cookie: {cookie}"]
        run = subprocess.run(command, cwd=folder, env=_own_home(folder), capture_output=True, text=True, check=False)
        assert told.exists(), run.stdout[-2000:] + run.stderr[-2000:]
        found = json.loads(told.read_text())
    kinds = {**found["vulnerabilities"], **found["anomalies"]}
    return sorted(
        f"{kind}: {each['method']} {each['path']}: {each['info']}"
        for kind, all_of_it in kinds.items()
        for each in all_of_it
        if not each["info"].startswith(INFO)
    )


def sqlmap(address: str, target: Target, cookie: str = "") -> list[str]:
    """Try every marked value of one request. Raises AssertionError when sqlmap could not try it at all."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["sqlmap", "-u", address + target.path, "--method", target.method, "--batch", "--ignore-stdin"]
        command += ["--technique", "BEU", "--level", "1", "--dbms", "sqlite", "--flush-session", "--disable-coloring"]
        command += ["--output-dir", folder, "--ignore-redirects", "--timeout", "60"]
        command += ["--ignore-code", "*"]  # a page that refuses may have asked the database before
        if target.data:
            command += ["--data", target.data]
        if cookie:
            command += ["--cookie", cookie]
        run = subprocess.run(command, env=_own_home(folder), capture_output=True, text=True, check=False)
    said = run.stdout
    if "identified the following injection point" in said:
        return [f"SQL injection: {target.method} {target.path} {target.data}"]
    assert "do not appear to be injectable" in said or "is not injectable" in said, said[-1500:]
    return []


def _own_home(folder: str) -> dict[str, str]:
    return {**os.environ, "HOME": folder, "XDG_DATA_HOME": folder, "NO_PROXY": "127.0.0.1"}
