"""The two errors for people: a request that can't be served, and work that failed."""


class RequestError(ValueError):
    """A request that can't be served as it was made.

    The message is one line for the person who asked: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with code 2.
    """


class StoppedError(RuntimeError):
    """The work failed: training could not go on, and the message says why. The command line exits with code 1."""
