"""File formats of exports: tables, graphs, arrays and their description; none knows a database."""

TABLES = ("csv", "tsv", "parquet")
GRAPHS = ("gephi", "gexf", "graphml")
ARRAYS = ("parquet", "npy")
WITHOUT_PARTNER = "_without_partner.csv"
