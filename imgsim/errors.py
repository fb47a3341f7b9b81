"""The errors that imgsim raises on purpose: what is wrong, why, and the next step."""


class ImgsimError(Exception):
    """An error that the user can understand and act on, printed without a traceback.

    `message` says what is wrong and why, `hint` what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DatabaseError(ImgsimError):
    """The database server refused, is gone, or lacks something."""


class EmbeddedServerError(DatabaseError):
    """The PostgreSQL server that imgsim runs for itself could not be set up or started."""


class MigrationError(DatabaseError):
    """The schema in the database and the files of this version do not agree."""


class WeightsError(ImgsimError):
    """A network's weights are not available, or not those that the store was filled with."""


class NotFoundError(ImgsimError):
    """A named image, model or file does not exist, or the name fits several."""
