"""PostgreSQL: the embedded server, the one way to connect, and the migrations."""
