"""The server for Docker: its file is well-formed, safe by default, and names things that exist."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from imgsim.database import binaries, tuning

FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


@functools.cache
def compose() -> dict[str, Any]:
    """The file, with the defaults of its variables filled in."""
    content = yaml.safe_load(DEFAULT.sub(r"\1", FILE.read_text()))
    assert isinstance(content, dict)
    return content


def service() -> dict[str, Any]:
    found = compose()["services"]["db"]
    assert isinstance(found, dict)
    return found


def settings() -> dict[str, str]:
    """The server's settings, by name."""
    words = service()["command"]
    assert words[0] == "postgres"
    assert words[1::2] == ["-c"] * (len(words) // 2)
    return dict(word.split("=", 1) for word in words[2::2])


def bytes_of(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", size.lower()).groups()  # type: ignore[union-attr]
    return int(number) << {"mb": 20, "gb": 30}[unit]


def test_the_image_is_pinned_and_of_the_major_version_of_the_embedded_server() -> None:
    match = re.fullmatch(r"pgvector/pgvector:0\.8\.(\d+)-pg(\d+)", service()["image"])
    assert match is not None
    assert int(match[1]) >= 4
    assert int(match[2]) == binaries.POSTGRESQL_MAJOR


def test_the_password_is_required_and_not_written_down() -> None:
    assert re.fullmatch(
        r"\$\{IMGSIM_PASSWORD:\?.+\}", service()["environment"]["POSTGRES_PASSWORD"]
    )


def test_it_listens_on_this_machine_only() -> None:
    assert service()["ports"] == ["127.0.0.1:5432:5432"]


def test_the_data_is_on_a_named_volume_where_postgresql_18_looks_for_it() -> None:
    (mounted,) = service()["volumes"]
    name, place = mounted.split(":")
    assert name in compose()["volumes"]
    assert place == "/var/lib/postgresql"


def test_its_health_is_asked_over_tcp_because_the_first_set_up_answers_on_the_socket() -> None:
    kind, program, *arguments = service()["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "pg_isready")
    assert "--host=127.0.0.1" in arguments


def test_a_parallel_build_of_an_index_finds_room_in_shared_memory() -> None:
    assert bytes_of(service()["shm_size"]) >= bytes_of(settings()["maintenance_work_mem"])


def test_every_setting_is_one_that_the_embedded_server_has_too() -> None:
    assert settings().keys() <= tuning.settings().keys()


def has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_docker_compose_takes_the_file_and_refuses_it_without_a_password() -> None:
    call = ["docker", "compose", "--file", str(FILE), "config", "--quiet"]
    environment = {name: text for name, text in os.environ.items() if name != "IMGSIM_PASSWORD"}
    taken = subprocess.run(
        call, env={**environment, "IMGSIM_PASSWORD": "x"}, capture_output=True, check=False
    )
    assert taken.returncode == 0, taken.stderr
    refused = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "IMGSIM_PASSWORD" in refused.stderr
