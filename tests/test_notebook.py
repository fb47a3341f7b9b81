"""The notebook in docs/ runs from top to bottom, and shows tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from imgsim.__main__ import run
from tests.desk import CHECKOUT

NOTEBOOK = CHECKOUT / "docs" / "notebook.ipynb"


@pytest.fixture
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_the_notebook_is_stored_valid_and_without_outputs(notebook: Any) -> None:
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_notebook_shows_a_table_or_a_figure_in_every_cell(notebook: Any, desk: Path) -> None:
    assert run(["metadata", "load", "metadata.csv"]) == 0
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(desk)}}
    )
    client.execute()
    shown = [
        {kind for output in cell.outputs for kind in output.get("data", {})}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert all({"text/html", "image/png", "text/plain"} & kinds for kinds in shown)
    figures = [cell for cell in notebook.cells if "store.plot" in cell.source]
    assert len(figures) == 2
    for cell in figures:
        assert cell.outputs[0].data["image/png"].startswith("iVBOR")
    (similar,) = (cell for cell in notebook.cells if "store.similar" in cell.source)
    page = similar.outputs[0].data["text/html"]
    assert "0001700104" in page
    assert page.count('<img alt="0') == 5
    (grouped,) = (cell for cell in notebook.cells if cell.source == "store.group()")
    assert "1752" in grouped.outputs[0].data["text/html"]
