"""Which networks a store gets and keeps, and which is meant where none is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import choice, models, named
from imgsim.networks.models import Wanted
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]


def names(chosen: choice.Choice) -> list[str]:
    return [wanted.name for wanted in chosen.wanted]


def settle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("IMGSIM_CONFIG", str(tmp_path / "config.toml"))


def test_a_new_store_gets_imgsims_own_two_and_says_so(connection: Connection) -> None:
    chosen = choice.choose(connection)
    assert names(chosen) == ["resnet18-print", "resnet50-print"]
    assert chosen.told.startswith("a new store, with resnet18-print and resnet50-print")


def test_a_pair_is_meant_by_its_name_beside_other_models(connection: Connection) -> None:
    assert names(choice.choose(connection, ["imagenet"])) == ["resnet18", "resnet50"]
    chosen = choice.choose(connection, ["vgg16", "imgsim", "resnet18-print"])
    assert names(chosen) == ["vgg16", "resnet18-print", "resnet50-print"]
    assert not chosen.told


def test_a_store_goes_on_with_what_it_has_and_says_so(connection: Connection) -> None:
    for name in named.PAIRS["imagenet"]:
        store(connection, name, clustered(4, 8))
    chosen = choice.choose(connection)
    assert names(chosen) == ["resnet18", "resnet50"]
    assert "with the models of this store: resnet18, resnet50" in chosen.told
    assert "--model imgsim adds" in chosen.told
    for name in named.DEFAULTS:
        store(connection, name, clustered(4, 8))
    assert len(choice.choose(connection).wanted) == 4
    for name in named.PAIRS["imagenet"]:
        connection.execute("select imgsim.remove_model(%s)", [name])
    assert not choice.choose(connection).told


def test_settled_models_are_those_of_a_new_store_only(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settle(monkeypatch, tmp_path, 'models = ["imagenet"]\n')
    chosen = choice.choose(connection)
    assert names(chosen) == ["resnet18", "resnet50"]
    assert f"({tmp_path / 'config.toml'}, line 1)" in chosen.told
    assert names(choice.choose(connection, ["resnet18-print"])) == ["resnet18-print"]
    store(connection, "mine", clustered(4, 8))
    assert names(choice.choose(connection)) == ["mine"]


def test_random_weights_and_torchvisions_are_for_the_plain_architectures(
    connection: Connection,
) -> None:
    for weights in ("untrained", "IMAGENET1K_V2"):
        chosen = choice.choose(connection, (), [weights])
        assert [(w.name, w.weights) for w in chosen.wanted] == [
            ("resnet18", weights),
            ("resnet50", weights),
        ]
    with pytest.raises(ImgsimError, match="that name is for those of imgsim"):
        models.ensure(connection, Wanted("resnet18-print", weights="untrained"))
    with pytest.raises(ImgsimError, match="that means resnet18 and resnet50"):
        models.ensure(connection, Wanted("imagenet", "resnet18", weights="untrained"))
    assert models.stored(connection) == []


def test_questions_understand_the_name_of_a_pair(connection: Connection) -> None:
    for name in (*named.PAIRS["imagenet"], *named.DEFAULTS):
        store(connection, name, clustered(4, 8))
    both = models.chosen(connection, ["imagenet"])
    assert [model.name for model in both] == ["resnet18", "resnet50"]
    first, second = models.chosen_pair(connection, ["imagenet"])
    assert (first.name, second.name) == ("resnet18", "resnet50")
    assert [model.name for model in models.chosen(connection, [])] == ["resnet18-print"]
    first, second = models.chosen_pair(connection, [])
    assert (first.name, second.name) == named.DEFAULTS


def test_an_answer_says_which_model_it_is_by_where_none_was_named_and_there_are_several(
    imgsim: Imgsim, connection: Connection
) -> None:
    asked = (("similar", "image 1"), ("report", "neighbours"), ("report", "documents"))
    store(connection, "resnet50", clustered(20, 8))
    assert all(" (also in the store" not in imgsim(*words).err for words in asked)
    store(connection, "resnet18-print", clustered(20, 8))
    for words in asked[:2]:
        assert "by resnet18-print (also in the store: resnet50)\n" in imgsim(*words).err
        assert "also in" not in imgsim(*words, "--model", "resnet50").err
    assert "measured for resnet18-print" in imgsim(*asked[2]).err
    assert "by resnet18-print (also" in imgsim(*asked[2], "--threshold", 0.5).err
    assert "also in" not in imgsim(*asked[0], "--format", "csv").err


def test_the_doctor_speaks_of_the_weights_of_models_that_the_store_has(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    assert "weights" not in imgsim("doctor").out
    models.ensure(connection, Wanted("resnet18-print"))
    assert "ok   weights   resnet18-print: come with imgsim\n" in imgsim("doctor").out
    for name, weights in (("resnet50", "IMAGENET1K_V1"), ("mine", str(tmp_path / "gone.pth"))):
        connection.execute(
            "select imgsim.add_model(%s, 'resnet50', 8, %s, 'hash', 'fit')", [name, weights]
        )
    told = imgsim("doctor").out
    assert "note weights   resnet50 (IMAGENET1K_V1): none in " in told
    assert "imgsim model fetch resnet50" in told
    assert f"{tmp_path / 'gone.pth'} is gone, which mine needs" in told
    assert "resnet18:" not in told


def test_the_doctor_says_which_settings_are_read_and_what_is_wrong_with_them(
    imgsim: Imgsim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "settings  none kept; they would be in " in imgsim("doctor").out
    settle(monkeypatch, tmp_path, 'scholar = "M"\nmodels = ["imagenet"]\n')
    assert f"settings  {tmp_path / 'config.toml'}: models, scholar" in imgsim("doctor").out
    settle(monkeypatch, tmp_path, "scholars = 7\n")
    answer = imgsim("doctor")
    assert answer.code == 1
    assert "line 1: there is no setting 'scholars'" in answer.out
    assert "ok   pgvector" in answer.out
