"""The one error that tools raise on purpose, and how it reaches a person: a sentence, never a traceback."""

import sys
from collections.abc import Callable
from typing import NoReturn


class ToolError(Exception):
    """Something that the caller can put right; the message says how."""


def run_tool(main: Callable[[], int]) -> NoReturn:
    """Run a tool's main function as the process: its exit status, or 1 and one sentence."""
    try:
        status = main()
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except OSError as error:
        # A full disk, a directory of somebody else: the system's own words name the file.
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
