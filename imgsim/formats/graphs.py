"""Writes graphs, element by element, as Gephi's two tables, GEXF 1.3 and GraphML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from imgsim.formats.columns import Column, Row, as_text
from imgsim.formats.writing import PLAIN, ForSpreadsheets, write_delimited

# https://www.w3.org/TR/xml/#charsets: what no XML 1.0 document may hold, even escaped.
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A GraphML id is an NMTOKEN; of the letters beyond ASCII, validators do not all allow the same.
NOT_IN_TOKEN = re.compile("[^-.:A-Z_a-z0-9]")
ESCAPED = re.compile("_(?=x)")
GEXF = "http://gexf.net/1.3"
GRAPHML = "http://graphml.graphdrawing.org/xmlns"


@dataclass(frozen=True)
class Graph:
    """An undirected graph.

    A row of `nodes` is an id, a label, then the values of `node_columns`; a row of `edges` is the
    ids of its two ends, a weight, then the values of `edge_columns`. Ids are text.
    """

    node_columns: Sequence[Column]
    nodes: Iterable[Row]
    edge_columns: Sequence[Column]
    edges: Iterable[Row]


def write_gephi(
    nodes_file: Path, edges_file: Path, graph: Graph, look: ForSpreadsheets = PLAIN
) -> None:
    """Writes the two CSV tables that Gephi's data laboratory imports."""
    write_delimited(nodes_file, gephi_node_columns(graph.node_columns), graph.nodes, look=look)
    edges = ((row[0], row[1], "Undirected", *row[2:]) for row in graph.edges)
    write_delimited(edges_file, gephi_edge_columns(graph.edge_columns), edges, look=look)


def gephi_node_columns(columns: Sequence[Column]) -> list[Column]:
    """Returns the columns of Gephi's nodes.csv."""
    return [Column("Id", "string"), Column("Label", "string"), *columns]


def gephi_edge_columns(columns: Sequence[Column]) -> list[Column]:
    """Returns the columns of Gephi's edges.csv."""
    ends = [Column(name, "string") for name in ("Source", "Target", "Type")]
    return [*ends, Column("Weight", "number"), *columns]


def write_gexf(file: Path, graph: Graph, title: str, creator: str, day: str) -> None:
    """Writes GEXF 1.3; `day` is an ISO date. Characters that XML cannot hold become U+FFFD,
    in ids `_xHH_`.
    """
    types = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}

    def attributes(out: Xml, kind: str, columns: Sequence[Column]) -> None:
        with out.element("attributes", **{"class": kind, "mode": "static"}):
            for number, column in enumerate(columns):
                out.empty(
                    "attribute",
                    id=str(number),
                    title=column.name,
                    type=types.get(column.type, "string"),
                )

    def values(out: Xml, row: Row) -> None:
        with out.element("attvalues"):
            for number, value in enumerate(row):
                if value is not None:
                    out.empty("attvalue", **{"for": str(number), "value": str(as_text(value))})

    with _document(file) as out, out.element("gexf", xmlns=GEXF, version="1.3"):
        with out.element("meta", lastmodifieddate=day):
            out.text("creator", creator)
            out.text("description", title)
        with out.element("graph", mode="static", defaultedgetype="undirected", idtype="string"):
            attributes(out, "node", graph.node_columns)
            attributes(out, "edge", graph.edge_columns)
            with out.element("nodes"):
                for row in graph.nodes:
                    with out.element("node", id=xml_id(row[0]), label=_label(row)):
                        values(out, row[2:])
            with out.element("edges"):
                for number, row in enumerate(graph.edges):
                    ends = {"source": xml_id(row[0]), "target": xml_id(row[1])}
                    with out.element("edge", id=str(number), **ends, weight=str(row[2])):
                        values(out, row[3:])


def write_graphml(file: Path, graph: Graph, title: str) -> None:
    """Writes GraphML. Its ids are NMTOKENs: any other character in one is written `_xHH_`."""
    types = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}
    node_columns = [Column("label", "string"), *graph.node_columns]
    edge_columns = [Column("weight", "number"), *graph.edge_columns]

    def keys(out: Xml, kind: str, columns: Sequence[Column]) -> None:
        for number, column in enumerate(columns):
            type_ = types.get(column.type, "string")
            described = {"attr.name": column.name, "attr.type": type_}
            out.empty("key", id=f"{kind}{number}", **{"for": kind}, **described)

    def data(out: Xml, kind: str, row: Row) -> None:
        for number, value in enumerate(row):
            if value is not None:
                out.text("data", str(as_text(value)), key=f"{kind}{number}")

    with _document(file) as out, out.element("graphml", xmlns=GRAPHML):
        out.text("desc", title)
        keys(out, "node", node_columns)
        keys(out, "edge", edge_columns)
        with out.element("graph", id="G", edgedefault="undirected"):
            for row in graph.nodes:
                with out.element("node", id=token(row[0])):
                    data(out, "node", row[1:])
            for row in graph.edges:
                with out.element("edge", source=token(row[0]), target=token(row[1])):
                    data(out, "edge", row[2:])


def token(value: object) -> str:
    """Returns a text as an XML name token, different texts as different tokens.

    >>> token("0001700104"), token("plate 1"), token("")
    ('0001700104', 'plate_x20_1', '_x_')
    """
    return _escaped(value, NOT_IN_TOKEN) or "_x_"


def xml_id(value: object) -> str:
    """Returns a text without characters that XML cannot hold, different texts still different."""
    return _escaped(value, ILLEGAL)


def _escaped(value: object, refused: re.Pattern[str]) -> str:
    # What could begin an escape is escaped itself, or two ids could become one.
    text = ESCAPED.sub("_x5F_", str(value))
    return refused.sub(lambda match: f"_x{ord(match[0]):X}_", text)


def _label(row: Row) -> str:
    return str(row[0] if row[1] is None else row[1])


class Xml:
    """Writes XML as it goes, so that no more than one element is ever held."""

    def __init__(self, opened: TextIO) -> None:
        self._write: Callable[[str], object] = opened.write

    @contextmanager
    def element(self, name: str, **attributes: str) -> Iterator[None]:
        """Writes an element with others inside."""
        self._write(f"<{name}{self._attributes(attributes)}>")
        yield
        self._write(f"</{name}>\n")

    def empty(self, name: str, **attributes: str) -> None:
        """Writes an element with nothing inside."""
        self._write(f"<{name}{self._attributes(attributes)}/>")

    def text(self, name: str, text: str, **attributes: str) -> None:
        """Writes an element with text inside."""
        # A bare carriage return would be read as a line feed.
        content = escape(ILLEGAL.sub("\ufffd", text), {"\r": "&#13;"})
        self._write(f"<{name}{self._attributes(attributes)}>{content}</{name}>")

    def _attributes(self, attributes: dict[str, str]) -> str:
        pairs = ((key, ILLEGAL.sub("\ufffd", value)) for key, value in attributes.items())
        return "".join(f" {key}={quoteattr(value)}" for key, value in pairs)


@contextmanager
def _document(file: Path) -> Iterator[Xml]:
    with file.open("w", encoding="utf-8", newline="\n") as opened:
        opened.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        yield Xml(opened)
