"""The errors imgsim raises on purpose: each names the thing, the reason and the next step."""


class ImgsimError(Exception):
    """Something the user can understand and act on; the command line prints it without a traceback.

    `message` says what is wrong, `hint` what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DatabaseError(ImgsimError):
    """The database server refused, went away, or lacks something."""


class EmbeddedServerError(DatabaseError):
    """The PostgreSQL server that imgsim runs for itself could not be set up or started."""


class MigrationError(DatabaseError):
    """The schema in the database and the files of this version do not agree."""


class WeightsError(ImgsimError):
    """A network's weights cannot be had, or are not the ones the store was filled with."""


class NotFoundError(ImgsimError):
    """An image, model or file that was named is not there, or the name fits several."""
