"""The real client reaches the double through Prism, which lets pass only what Twilio's own document allows.

Needs node and Prism: `npm install --global @stoplight/prism-cli`, or EPRO_PRISM with the path of its program.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import PHONE
from tests.scheduler.mail_double import a_free_port
from tests.scheduler.test_twilio_contract import BALANCE, MESSAGES, document
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN, Double

READY, READY_WITHIN_SECONDS = "Prism is listening", 120
REFUSALS = ("400", "401", "403", "404", "429", "500", "503")  # the document names none of them


@pytest.fixture(scope="module")
def prism() -> str:
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    program = os.environ.get("EPRO_PRISM") or shutil.which("prism")
    if not program:
        pytest.skip("Prism is not installed: npm install --global @stoplight/prism-cli, or set EPRO_PRISM")
    return program


@pytest.fixture(scope="module")
def messages_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twilio's document, cut to what we use, with the refusals that Twilio gives and does not describe."""
    whole = json.loads(document().read_text(encoding="utf-8"))
    kept = {}
    for path in (f"{MESSAGES}.json", f"{MESSAGES}/{{Sid}}.json", f"{BALANCE}.json"):
        kept[path] = {name: what for name, what in whole["paths"][path].items() if name != "servers"}
        for verb in ("get", "post", "delete"):
            if verb in kept[path]:
                kept[path][verb]["responses"] |= {status: {"description": "refused"} for status in REFUSALS}
    listed = kept[f"{MESSAGES}.json"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    for address in ("uri", "first_page_uri", "next_page_uri", "previous_page_uri"):
        listed[address].pop("format", None)  # Twilio gives a path, as its own example of them shows, and no whole URI
    file = tmp_path_factory.mktemp("prism") / "messages.json"
    file.write_text(json.dumps({**whole, "paths": kept}), encoding="utf-8")
    return file


@contextmanager
def proxy(prism: str, contract: Path, url: str) -> Iterator[str]:
    port = a_free_port()
    command = [prism, "proxy", "--errors", "--host", "127.0.0.1", "--port", str(port), str(contract), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        patience = Timer(READY_WITHIN_SECONDS, process.kill)
        patience.start()
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if READY in line:
                    break
            else:
                raise AssertionError("".join(said))
            patience.cancel()
            yield f"http://127.0.0.1:{port}"
        finally:
            patience.cancel()
            process.terminate()


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


def test_what_the_double_answers_passes_and_what_twilio_would_never_say_does_not(
    prism: str, messages_alone: Path, double: Double
) -> None:
    with proxy(prism, messages_alone, double.url) as url:
        client = Client(ACCOUNT, AUTH_TOKEN)
        client.api.base_url = url

        sid = client.messages.create(to=PHONE, from_="epro", body="Hej!").sid
        assert client.messages(sid).fetch().body == "Hej!"
        assert [text.sid for text in client.messages.list(to=PHONE, limit=5)] == [sid]
        assert client.balance.fetch().balance == "12.34"
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to="+15005550009", from_="epro", body="Hej!")
        assert refused.value.code == 21614
        double.report(sid, "delivered")
        assert client.messages(sid).update(body="").body == ""

        double.taken[0]["status"] = "flying"
        with pytest.raises(TwilioRestException) as found_out:
            client.messages(sid).fetch()
        assert found_out.value.status == 500
