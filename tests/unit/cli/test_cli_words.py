"""What people read: numbers, times, refusals, events. Pure."""

import errno

import msgspec
import pytest

from flux.cli import format as show
from flux.cli import words
from flux.cli.app.why import choice
from flux.cli.errors import FAILED, REFUSED, UNREACHABLE, CliError, translate
from flux.cli.hints import refusal
from flux.cli.keepers import keepers_document, keepers_sentence
from flux.cli.output import Output
from flux.cli.story import Story, rejections
from flux.contracts.addresses import TREASURY
from flux.contracts.apps.types import AppId, NotOwner, WrongAppStatus
from flux.contracts.escrow.types import DepositTooSmall
from flux.contracts.governor.types import GovernorUnexpectedProposalState
from flux.contracts.market.types import CloseReason, Lease, LeaseAssigned, LeaseClosed, LeaseRunning, Rejection, Verdict
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import Sharing
from flux.contracts.staking.types import NothingToWithdraw
from flux.kernel.errors import InsufficientBalance
from flux.primitives.types import U8, U32, U64, U256, WEI_PER_FLUX, Address, ChainTime, Hash, Height, Timestamp, Wei
from flux.sdk.errors import AgentUnreachable, RpcError, Unreachable
from flux.sdk.history import Happened


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        (0, "0"),
        (1, "0.000000000000000001"),
        (123_456_789_012, "0.0000001234"),
        (WEI_PER_FLUX // 3, "0.3333"),
        (12 * WEI_PER_FLUX + WEI_PER_FLUX // 2, "12.5"),
        (1_234_567 * WEI_PER_FLUX + 1, "1,234,567"),
        (-5 * WEI_PER_FLUX, "-5"),
        (-WEI_PER_FLUX // 4, "-0.25"),
    ],
)
def test_amounts_are_plain_numbers(wei: int, text: str) -> None:
    assert show.number(wei) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.7, "1 s"), (59, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h"), (86_405, "1 d")],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert show.duration(seconds) == text


def test_sizes_are_readable() -> None:
    assert (show.memory(512), show.memory(1536), show.memory(2048)) == ("512 MiB", "1.5 GiB", "2 GiB")
    assert (show.cores(1000), show.cores(250)) == ("1 core", "0.25 cores")
    assert (show.size(900), show.size(4_300), show.size(3 * 2**20)) == ("900 bytes", "4.2 KiB", "3 MiB")
    assert (show.count(1, "node"), show.count(2, "node")) == ("1 node", "2 nodes")


def test_every_enumeration_has_words() -> None:
    assert set(words.REJECTIONS) == set(Rejection)
    assert set(words.CLOSE_REASONS) == set(CloseReason)
    assert words.close_reason(99) == "reason 99"
    assert words.status_word("app", 99) == "99"


def test_a_refusal_speaks_of_flux_accounts_and_statuses() -> None:
    small = DepositTooSmall(Wei(U256(2 * WEI_PER_FLUX)), Wei(U256(WEI_PER_FLUX // 2)))
    assert refusal(small) == (
        "0.5 FLUX is less than the 2 FLUX that this deposit must have",
        "give more with --deposit",
    )
    sentence, hint = refusal(NotOwner(AppId(U64(3)), Address(b"\x11" * 20), Address(b"\x22" * 20)))
    assert sentence.startswith("App 3 belongs to 0x1111111111111111111111111111111111111111;")
    assert "--account" in hint
    assert "status closed" in refusal(WrongAppStatus(AppId(U64(3)), U8(4)))[0]


def test_each_error_has_its_exit_code_and_the_unknown_one_is_no_traceback() -> None:
    assert translate(Unreachable("http://x", "refused")).code == UNREACHABLE
    lost = translate(AgentUnreachable("https://node", "timeout"))
    assert (lost.code, "flux app show" in lost.hint, "flux up" in lost.hint) == (UNREACHABLE, True, False)
    assert translate(RpcError(-32000, "insufficient funds for gas")).code == REFUSED
    poor = translate(RpcError(-32000, f"insufficient funds for gas * price + value: have 0 want {100 * WEI_PER_FLUX}"))
    assert (poor.code, poor.sentence) == (REFUSED, "the account holds 0 FLUX, and this takes at least 100 FLUX")
    assert translate(CliError("no", "do this")).hint == "do this"
    full = translate(OSError(errno.ENOSPC, "No space left on device", "/data"))
    assert "the disk is full (/data)" in full.sentence
    assert "nothing was lost" in full.hint
    unknown = translate(ZeroDivisionError("division by zero"))
    assert unknown.code == FAILED
    assert "--debug" in unknown.hint


def happened(event: object, block: int) -> Happened:
    return Happened(Height(U64(block)), Timestamp(U64(1000 + block)), Hash(bytes(32)), 0, event)  # type: ignore[arg-type]


def test_a_story_names_the_instance_of_later_events() -> None:
    assigned = LeaseAssigned(lease=4, app=1, node=2, ordinal=3, revision=1, rate=10**12, replaces=0, usd_rate=0)  # type: ignore[arg-type]
    running = LeaseRunning(lease=4, app=1, node=2)  # type: ignore[arg-type]
    closed = LeaseClosed(lease=4, app=1, node=2, reason=U8(CloseReason.UNREACHABLE), detail="")  # type: ignore[arg-type]
    told = Story({}).tell([happened(assigned, 1), happened(running, 6), happened(closed, 9)])
    assert [item.ordinal for item in told] == [3, 3, 3]
    assert told[1].sentence == "runs on node 2, 5 s after its placement; billing starts"
    assert told[2].sentence == "ended on node 2: the node could not be reached by its committee"


def test_counts_of_rejections_become_words_most_frequent_first() -> None:
    counts = [0] * (max(Rejection) + 1)
    counts[Rejection.PRICE], counts[Rejection.GEO] = 1, 4
    text = "4 nodes: the geo rules exclude its location; 1 node: it asks more than the maximum price"
    assert rejections(counts) == text
    assert rejections([]) == "there are no nodes"
    assert rejections([0] * 40 + [2]) == "2 nodes: reason 40"


def make_node(number: int, operator: int, country: str) -> Node:
    return msgspec.convert(
        {
            "id": number, "operator": bytes([operator]) * 20, "agent": bytes(20), "status": 2, "tier": 1,
            "endpoint": {"host": "127.0.0.1", "port": 1, "certificate": bytes(32), "seal_key": bytes(32),
                         "residential": False, "static_ip": True},
            "location": {"continent": "EU", "country": country, "region": ""},
            "hardware": {"cpu_milli": 1, "memory_mib": 1, "disk_mib": 1, "architecture": 1, "gpu_count": 0,
                         "gpu_model": ""},
            "ask": {"cpu": 0, "memory": 0, "disk": 0, "gpu": 0}, "registered_at": 0, "status_since": 0,
            "status_reason": "",
        },
        Node,
    )  # fmt: skip


def make_lease(number: int, node: int) -> Lease:
    numbers = {"id": number, "app": 1, "revision": 1, "ordinal": number, "node": node, "state": 2, "rate": 30}
    times = {"assigned_at": 5, "running_at": 6, "closed_at": 0}
    return msgspec.convert({**numbers, **times, "replaces": 0, "reason": 0, "detail": "", "bindings": ()}, Lease)


def test_a_choice_says_what_cheaper_nodes_share_with_other_instances() -> None:
    nodes = {NodeId(U32(n.id)): n for n in (make_node(1, 1, "DE"), make_node(2, 2, "DE"), make_node(3, 1, "FR"),
                                            make_node(4, 4, "PL"))}  # fmt: skip
    verdicts = [
        Verdict(NodeId(U32(number)), Rejection.NONE, Wei(U256(rate)), U256(0))  # type: ignore[arg-type]
        for number, rate in ((1, 10), (2, 20), (3, 25), (4, 30))
    ]
    first, second = make_lease(1, 1), make_lease(2, 4)
    alone = choice(first, verdicts, [first], nodes)
    assert alone.sentence == "of 4 nodes that could take it, it asked the least"
    spread = choice(second, verdicts, [first, second], nodes)
    assert spread.able == 3
    assert "node 2 asks less, but another instance runs in DE" in spread.sentence
    assert "node 3 asks less, but its operator runs another instance" in spread.sentence
    assert choice(second, verdicts[3:], [first, second], nodes).sentence == "it was the only node that could take it"


def test_text_from_elsewhere_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=False)
    output.table(["NAME"], [["\x1b[31mred[bold]\u202e"]])
    output.facts([("name", "\x07[link=http://x]y")])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "[bold]" in printed
    assert all(line == line.rstrip() for line in printed.splitlines())


@pytest.mark.parametrize(
    ("generation", "left", "seats", "words", "low"),
    [
        (0, 0, 2, "fewer than 3 nodes could keep them", True),
        (0, 0, 7, "its nodes have not said which yet", True),
        (1, 7, 7, "7 of 7 hold shares of its seed, any 3 open it", False),
        (1, 3, 7, "one more loss is too many", True),
        (1, 2, 7, "only `flux app seal` brings it back", True),
    ],
)
def test_how_keepers_stand_is_a_sentence(generation: int, left: int, seats: int, words: str, *, low: bool) -> None:
    facts = {
        "generation": generation, "threshold": 3, "keepers": 7 if generation else 0, "left": left, "is_due": False,
        "opens_at": 0, "is_open": True, "next_threshold": 3,
        "seats": [{"node": number, "key": bytes(32)} for number in range(seats)], "voted": [],
    }  # fmt: skip
    sharing = msgspec.convert(facts, Sharing)
    assert words in keepers_sentence(sharing)
    assert keepers_document(sharing)["low"] is low


def test_refusals_name_times_states_and_the_treasury_as_people_do() -> None:
    waits = NothingToWithdraw(NodeId(U32(3)), Address(b"\x01" * 20), ChainTime(U64(1_795_799_532)))
    assert "by the chain's clock" in refusal(waits)[0]
    assert "1795799532" not in refusal(waits)[0]
    sentence, hint = refusal(GovernorUnexpectedProposalState(U256(1), U8(1), Hash(bytes(32))))
    assert "is in state active" in sentence
    assert "the same proposal" in hint
    poor = InsufficientBalance(TREASURY, Wei(U256(1)), Wei(U256(2)))
    assert "the treasury (0x" in refusal(poor)[0]
