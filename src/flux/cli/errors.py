"""The one place where errors become a sentence, a hint and an exit code. Nothing else in the CLI prints an error.

Classes are named by text, so that an error of a library that a command never imported costs nothing to translate.
"""

import asyncio
import errno
import inspect
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from flux.cli.context import CommandContext

DONE = 0
FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
UNREACHABLE = 4
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for people and scripts."""

    sentence: str
    hint: str = ""
    code: int = FAILED
    kind: str = ""
    """The error's class, stable for scripts."""


class CliError(Exception):
    """An error of the command line itself, already a sentence."""

    def __init__(self, sentence: str, hint: str = "", code: int = FAILED, kind: str = "") -> None:
        super().__init__(sentence)
        self.problem = Problem(sentence, hint, code, kind or type(self).__name__)


class UsageError(CliError):
    """The command line was wrong in a way that its parser cannot see."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence, hint, WRONG_USAGE)


def run_to_exit_code(context: "CommandContext", run: Callable[[], Any]) -> int:
    """Run a command, plain or async; what it raises is printed as a sentence. It may return its exit code."""
    try:
        result = run()
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        return result if isinstance(result, int) else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        cause = _innermost(error)
        if isinstance(cause, typer.Exit | typer.Abort):
            raise cause from error
        if context.debug:
            traceback.print_exception(error)
        problem = translate(cause)
        _print(context, problem)
        return problem.code


def translate(error: BaseException) -> Problem:
    """The problem behind an error."""
    if isinstance(error, CliError):
        return error.problem
    for cls in type(error).__mro__:
        handler = _HANDLERS.get(f"{cls.__module__}.{cls.__qualname__}")
        if handler is not None:
            return _named(handler(error), error)
    sentence = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Problem(
        f"unexpected: {sentence}", "this is a fault in flux; run the command again with --debug and report it", FAILED
    )


def _innermost(error: BaseException) -> BaseException:
    """The first error of a group: tasks that ran together fail together, and one sentence is enough."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _print(context: "CommandContext", problem: Problem) -> None:
    text = f"error: {problem.sentence}"
    if problem.hint:
        text += f"\n  → {problem.hint}"
    document: dict[str, object] = {"kind": problem.kind, "message": problem.sentence, "exit_code": problem.code}
    if problem.hint:
        document["hint"] = problem.hint
    context.output.failure(document, text)


def _named(problem: Problem, error: BaseException) -> Problem:
    return problem if problem.kind else Problem(problem.sentence, problem.hint, problem.code, type(error).__name__)


def _unreachable(error: Any) -> Problem:
    hint = "start a local cloud with `flux up`, or name a running chain with --rpc or FLUX_RPC"
    return Problem(f"{error.url} does not answer ({error.reason})", hint, UNREACHABLE)


def _agent_unreachable(error: Any) -> Problem:
    hint = "try again in a minute: what a lost node ran starts on another; `flux app show` tells where"
    return Problem(f"the node at {error.url} does not answer ({error.reason})", hint, UNREACHABLE)


def _refused(error: Any) -> Problem:
    from flux.cli.hints import refusal

    sentence, hint = refusal(error.revert)
    return Problem(sentence, hint, REFUSED, type(error.revert).__name__)


def _rpc(error: Any) -> Problem:
    if error.code == -32601:
        return Problem(f"the endpoint does not know this method: {error}", "is --rpc a Flux chain?", FAILED)
    if "insufficient funds" in str(error):
        return Problem(
            _too_little(str(error)), "see `flux wallet balance`; another account signs with --account", REFUSED
        )
    return Problem(f"the chain refused: {error}", "", REFUSED)


def _too_little(words: str) -> str:
    """Ethereum's words for it, which give amounts in wei, as a sentence."""
    amounts = re.search(r"have (\d+) want (\d+)", words)
    if amounts is None:
        return words
    from flux.cli import format as show

    return f"the account holds {show.flux(int(amounts[1]))}, and this takes at least {show.flux(int(amounts[2]))}"


def _failed_transaction(error: Any) -> Problem:
    return Problem(str(error), f"see `flux chain tx 0x{error.transaction.hex()}`", REFUSED)


def _not_included(error: Any) -> Problem:
    return Problem(str(error), f"look again with `flux chain tx 0x{error.transaction.hex()}`", FAILED)


def _spec_refused(error: Any) -> Problem:
    lines = [str(finding) for finding in error.findings if finding.severity == "refused"]
    return Problem("the file cannot be deployed as it is:\n" + "\n".join(f"  {line}" for line in lines), "", FAILED)


def _images_refused(error: Any) -> Problem:
    lines = "\n".join(f"  {item}" for item in error.errors)
    hint = "nothing was sent and nothing was paid"
    return Problem(f"images cannot be used:\n{lines}", hint, UNREACHABLE if error.is_unreachable else FAILED)


def _lied(error: Any) -> Problem:
    kind = type(error.reason).__name__
    hint = "the answer was not used; ask another endpoint with --rpc"
    if kind == "Expired":
        # Nobody lied: another endpoint would be measured by the same old block.
        hint = "name a newer block, or begin anew with what this endpoint shows: `flux chain trust --forget`"
        return Problem(str(error.reason), hint, FAILED, kind)
    return Problem(str(error), hint, FAILED, kind)


def _agent_refused(error: Any) -> Problem:
    is_stranger = error.status in (401, 403)
    hint = "only the app's owner may do this; choose the signer: --account" if is_stranger else ""
    return Problem(str(error), hint, REFUSED)


def _plain(code: int, hint: str = "") -> Callable[[Any], Problem]:
    return lambda error: Problem(str(error), hint, code)


def _with_own_hint(code: int) -> Callable[[Any], Problem]:
    return lambda error: Problem(str(error), error.hint, code)


def _os_error(error: OSError) -> Problem:
    place = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Problem(f"the disk is full{place}", "make room and run the command again; nothing was lost")
        case errno.EACCES | errno.EPERM:
            return Problem(f"permission denied{place}", "check who owns it, or choose another folder with --home")
        case errno.EADDRINUSE:
            return Problem(f"the port is taken by another program{place}", "choose another port")
        case errno.EROFS:
            return Problem(f"the file system is read-only{place}", "choose another folder with --home")
    return Problem(f"{error.strerror or error}{place}")


_HANDLERS: dict[str, Callable[[Any], Problem]] = {
    "flux.sdk.errors.Unreachable": _unreachable,
    "flux.sdk.errors.Refused": _refused,
    "flux.sdk.errors.RpcError": _rpc,
    "flux.sdk.errors.Failed": _failed_transaction,
    "flux.sdk.errors.NotIncluded": _not_included,
    "flux.sdk.errors.ClientError": _plain(FAILED),
    "flux.sdk.light.errors.Lied": _lied,
    "flux.sdk.light.errors.NotVerifiable": _plain(FAILED, "leave out --verify to take the endpoint's word"),
    "flux.sdk.light.errors.NothingTrusted": _plain(FAILED, "see `flux chain trust --help`"),
    "flux.sdk.agent_api.AgentRefused": _agent_refused,
    "flux.sdk.errors.AgentUnreachable": _agent_unreachable,
    "flux.sdk.exec_session.SessionEnded": _plain(FAILED),
    "flux.sdk.backup_file.BackupUnusable": _with_own_hint(FAILED),
    "flux.specs.loaded.SpecUnreadable": _plain(WRONG_USAGE),
    "flux.specs.loaded.SpecRefused": _spec_refused,
    "flux.specs.images.ImagesRefused": _images_refused,
    "flux.specs.loaded.SpecError": _plain(FAILED),
    "flux.specs.private_half.PrivateHalfError": _plain(FAILED),
    "flux.runtime.errors.RuntimeUnavailable": _with_own_hint(UNREACHABLE),
    "flux.runtime.errors.RuntimeFailure": _with_own_hint(FAILED),
    "flux.agent.identity.IdentityError": _plain(FAILED),
    "flux.agent.hardware.detect.UnsupportedMachine": _plain(FAILED),
    "flux.services.agent.NotRegistered": _plain(FAILED),
    "flux.services.chain.PortTaken": _plain(FAILED),
    "flux.services.errors.ServiceError": _with_own_hint(FAILED),
    "flux.ingress.errors.IngressError": _with_own_hint(FAILED),
    "flux.protocol.genesis.GenesisError": _plain(FAILED),
    "flux.chain.ports.UpgradeRequired": _plain(FAILED),
    "flux.chain.history.HistoryPruned": _plain(FAILED),
    "flux.chain.export.ImportFailed": _plain(FAILED, "the blocks before it were imported"),
    "flux.consensus.cometbft.errors.CometError": _plain(FAILED),
    "flux.chain.store.StoreError": _plain(FAILED, "check the disk and who owns the folder"),
    "flux.wallet.errors.WalletError": _plain(FAILED),
    "flux.primitives.units.UnitError": _plain(WRONG_USAGE),
    "flux.primitives.address.AddressError": _plain(WRONG_USAGE),
    "flux.primitives.geo.GeoError": _plain(WRONG_USAGE),
    "builtins.OSError": _os_error,
}
