"""Settings: from the environment or EPRO_HOME/epro.env, and told by name when they are missing."""

import stat

import pytest

from epro.settings import SettingsRefused, read_settings, write_fresh_keys

TWILIO = {
    "EPRO_CARRIER": "twilio",
    "EPRO_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "EPRO_TWILIO_AUTH_TOKEN": "token",
    "EPRO_TWILIO_SENDER": "+46701740699",
    "EPRO_PUBLIC_URL": "https://forms.example.org/",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("EPRO_HOME", str(tmp_path))


def test_every_missing_setting_is_named_with_the_place_to_set_it(tmp_path):
    with pytest.raises(SettingsRefused) as refused:
        read_settings()

    said = str(refused.value)
    assert "EPRO_SECRET_KEY: is missing" in said
    assert "EPRO_CONTACT_KEYS: is missing" in said
    assert str(tmp_path / "epro.env") in said


def test_fresh_keys_are_enough_to_start_on_this_machine_and_only_their_owner_can_read_them(tmp_path):
    write_fresh_keys(tmp_path)

    settings = read_settings()
    assert settings.address == "http://127.0.0.1:8000"
    assert settings.database == f"sqlite:///{tmp_path / 'epro.db'}"
    assert stat.S_IMODE((tmp_path / "epro.env").stat().st_mode) == 0o600


def test_keys_that_exist_are_never_replaced(tmp_path):
    write_fresh_keys(tmp_path)
    before = (tmp_path / "epro.env").read_text()

    write_fresh_keys(tmp_path)

    assert (tmp_path / "epro.env").read_text() == before


def test_a_key_that_is_not_a_key_is_refused_without_being_shown(tmp_path, monkeypatch):
    write_fresh_keys(tmp_path)
    monkeypatch.setenv("EPRO_CONTACT_KEYS", "hunter2")

    with pytest.raises(SettingsRefused) as refused:
        read_settings()

    assert "EPRO_CONTACT_KEYS" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in TWILIO if name != "EPRO_CARRIER"])
def test_twilio_is_not_started_half_configured(tmp_path, monkeypatch, name):
    write_fresh_keys(tmp_path)
    for key, value in TWILIO.items():
        if key != name:
            monkeypatch.setenv(key, value)

    with pytest.raises(SettingsRefused, match=name):
        read_settings()


def test_the_public_address_has_no_slash_at_its_end(tmp_path, monkeypatch):
    write_fresh_keys(tmp_path)
    for key, value in TWILIO.items():
        monkeypatch.setenv(key, value)

    assert read_settings().address == "https://forms.example.org"


def test_no_secret_stands_in_the_settings_repr(tmp_path):
    write_fresh_keys(tmp_path)
    secrets = [line.split("=", 1)[1] for line in (tmp_path / "epro.env").read_text().splitlines()]

    assert not any(secret in repr(read_settings()) for secret in secrets)


@pytest.mark.parametrize(
    ("mails", "said"),
    [
        ({"EPRO_SMTP_HOST": "mail.example.org"}, "EPRO_SMTP_SENDER"),
        (
            {
                "EPRO_SMTP_HOST": "mail.example.org",
                "EPRO_SMTP_SENDER": "till@example.org",
                "EPRO_SMTP_USER": "epro",
                "EPRO_SMTP_SECURITY": "none",
            },
            "for all to read",
        ),
    ],
)
def test_a_mail_server_without_a_sender_or_that_would_show_the_password_is_refused(monkeypatch, tmp_path, mails, said):
    write_fresh_keys(tmp_path)
    for name, value in mails.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsRefused, match=said):
        read_settings()
