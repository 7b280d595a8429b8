"""Settings: what can be set, what is refused and in which words, what is shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from processors.core.policy import Completeness, Policy
from processors.core.reference import Kind
from processors.errors import SettingsError
from processors.settings import Settings, load, printable
from processors.settings.neighbours import ReferenceKind

PREFIX = "IMAGING_REFERENCE__"


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_the_defaults_are_those_of_the_core() -> None:
    assert load(None, {"HOME": "/"}) == Settings()
    assert Settings().policy() == Policy()


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [kafka]
        bootstrap.servers = "broker:9092"
        "enable.ssl.certificate.verification" = true
        [completeness]
        quiet_s = 3
        hard_stop_s = 60
        [identity.issuers]
        HOSPITAL = "urn:oid:2.999.1"
        """,
    )
    settings = load(
        path,
        {
            PREFIX + "KAFKA__BOOTSTRAP_SERVERS": "other:9092",
            PREFIX + "COMPLETENESS__QUIET_S": "4.5",
            PREFIX + "HTTP__PORT": "0",
            PREFIX + "REPORTS__PUBLISH_MANIFESTS": "true",
            PREFIX + "DOCUMENTS__ALLOWED_HOSTS": "pacs.example, vna.example",
            PREFIX + "IDENTITY__ISSUERS__CLINIC": "urn:oid:2.999.2",
        },
    )
    assert settings.kafka == {
        "bootstrap.servers": "other:9092",
        "enable.ssl.certificate.verification": True,
    }
    assert (settings.completeness.quiet_s, settings.completeness.hard_stop_s) == (4.5, 60.0)
    assert settings.http.port == 0
    assert settings.reports.publish_manifests is True
    assert settings.documents.allowed_hosts == ("pacs.example", "vna.example")
    assert settings.identity.issuers == {"HOSPITAL": "urn:oid:2.999.1", "CLINIC": "urn:oid:2.999.2"}


def test_policy_takes_over_what_is_published_and_when(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [completeness]
        quiet_s = 5
        [[completeness.override]]
        source = "CT1"
        modality = "CT"
        quiet_s = 2
        [reports]
        quality_rejection = "keep"
        [identity]
        site_time_zone = "-03:30"
        [fhir.body_sites]
        "head neck" = ["774007", "Head and neck"]
        """,
    )
    policy = load(path, {}).policy()
    assert policy.completeness_for("CT1", "CT") == Completeness(2_000, 300_000)
    assert policy.completeness_for("CT1", "MR") == Completeness(5_000, 300_000)
    assert policy.hide_quality_rejections is False
    assert policy.identity.display_zone.utcoffset(None) == timedelta(hours=-3, minutes=-30)
    assert policy.body_sites == {"HEADNECK": ("774007", "Head and neck")}


def test_a_named_zone_knows_summer_time() -> None:
    zone = load(None, {PREFIX + "IDENTITY__SITE_TIME_ZONE": "Europe/Zurich"}).policy().identity.site_zone
    assert datetime(2024, 7, 1, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[completness]", "unknown section: completness (did you mean completeness?)"),
        ("[zzz]", "unknown section: zzz (allowed: analytics, completeness,"),
        ("[completeness]\nquite_s = 1", "unknown key in [completeness]: quite_s (did you mean quiet_s?)"),
        ("[completeness]\nquiet_s = 'long'", "completeness.quiet_s: expected float, got str"),
        ("[completeness]\nquiet_s = 0", "completeness.quiet_s: expected float > 0"),
        ("[completeness]\nquiet_s = nan", "completeness.quiet_s: expected float > 0"),
        ("[completeness]\nquiet_s = inf", "completeness.quiet_s: expected float <= 315360000"),
        ("[[completeness.override]]\nsorce = 'A'", "[completeness.override]: sorce (did you mean source?)"),
        ("[[completeness.override]]\nquiet_s = -1", "completeness.override.0.quiet_s: expected float > 0"),
        ("[fhir]\nrelease = 'R9'", "fhir.release: expected one of 'R5', 'R4', 'R6'"),
        ("[documents]\nallowed_hosts = 'a'", "documents.allowed_hosts: expected array, got str"),
        ("[identity]\nsite_time_zone = 'Mars'", "site_time_zone: expected an IANA name"),
        ("[identity]\nsite_time_zone = '../localtime'", "site_time_zone: expected an IANA name"),
        ("[identity]\nnamespace = 'x'", "namespace: expected a UUID"),
        ("[identity.issuers]\na = 1", "identity.issuers: expected str, got int"),
        ("[kafka]\nretries = [1]", "kafka: expected"),
        ("http = 8080", "http: expected a table [http]"),
        ("[http]\nport = '80'", "http.port: expected int, got str"),
        ("[http", "is no TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_file_and_key(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert complaint in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("KAFAK__CLIENT_ID", "x", "unknown section: kafak (did you mean kafka?)"),
        ("KAFKA", "x", "names no property of librdkafka"),
        ("HTTP__PROT", "1", "unknown key in [http]: prot (did you mean port?)"),
        ("HTTP__PORT", "hush", "http.port: expected int, got str"),
        ("HTTP__PORT", "70000", "http.port: expected int <= 65535"),
        ("HTTP__PORT__X", "1", "http.port: expected int, got object"),
        ("IDENTITY__SITE_TIME_ZONE", "hush", "site_time_zone: expected an IANA name"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable_and_no_value(
    name: str, value: str, complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {PREFIX + name: value})
    assert str(caught.value).startswith(f"environment variable {PREFIX}{name}: ")
    assert complaint in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["COMPLETENESS__QUIET_S__X", "COMPLETENESS__OVERRIDE__X", "KAFKA__X"])
def test_an_entry_of_what_the_file_has_as_something_else_is_one_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "kafka = 1" if "KAFKA" in name else "[completeness]\nquiet_s = 5\noverride = []")
    with pytest.raises(SettingsError, match="expected"):
        load(path, {PREFIX + name: "1"})


def test_a_file_without_end_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is nested too deeply"):
        load(written(tmp_path, f"kafka = {'[' * 3_000}{']' * 3_000}"), {})


def test_settings_that_need_each_other_may_come_from_anywhere(tmp_path: Path) -> None:
    facts, url = PREFIX + "SCHEMA_REGISTRY__FACTS", PREFIX + "SCHEMA_REGISTRY__URL"
    assert load(None, {facts: "header", url: "http://r"}).schema_registry.url == "http://r"
    path = written(tmp_path, '[schema_registry]\nfacts = "header"\n')
    assert load(path, {url: "http://r"}).schema_registry.facts == "header"
    with pytest.raises(SettingsError, match=r"header needs schema_registry\.url") as caught:
        load(path, {PREFIX + "IDENTITY__SITE_TIME_ZONE": "Europe/Zurich"})
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_unreadable_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "settings.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"cannot be read|no UTF-8"):
        load(path, {})


def test_printed_settings_read_back_the_same(tmp_path: Path) -> None:
    settings = load(
        None, {PREFIX + "KAFKA__BOOTSTRAP_SERVERS": 'a"b\n:1', PREFIX + "FHIR__ENDPOINTS__CT 1": "Endpoint/ö"}
    )
    assert load(written(tmp_path, printable(settings)), {}) == settings


@pytest.mark.parametrize(
    "name", ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"]
)
def test_printed_settings_hide_secrets(name: str) -> None:
    text = printable(Settings(kafka={name: "s3cret", "client.id": "seen"}))
    assert "s3cret" not in text
    assert name in text
    assert "seen" in text
    url = load(None, {PREFIX + "SCHEMA_REGISTRY__URL": "https://me:s3cret@registry.example/"})
    assert 'url = "https://********@registry.example/"' in printable(url)


def test_the_sink_of_a_session_knows_every_kind_and_leaves_whole_series_out() -> None:
    assert {*get_args(ReferenceKind)} == {*Kind}
    assert {*Settings().fhircast.kinds} == {*Kind} - {Kind.SERIES}
