"""All commands: where each lives and what it does in one line. The order is the order of the help texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One command."""

    module: str
    """Has a function `run`."""
    summary: str
    section: str = "Commands"
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Noun(Entry):
    """A group of commands on one kind of thing."""

    verbs: Mapping[str, Entry] = field(default_factory=dict)


def _verb(noun: str, verb: str, summary: str, *, hidden: bool = False) -> tuple[str, Entry]:
    return verb, Entry(f"flux.cli.{noun}.{verb.replace('-', '_')}", summary, hidden=hidden)


_CLOUD = "A cloud on this machine"
_TENANTS = "Running software"
_OPERATORS = "Hosting"
_ALL = "Keys and chain"

SPEC = dict(
    [
        _verb("spec", "check", "Read a Compose file or Flux spec with no network; say what is honoured"),
    ]
)
SECRET = dict(
    [
        _verb("app.secret", "set", "Give an app a secret, or replace one, as a file or variable"),
        _verb("app.secret", "ls", "List an app's secrets, never what they are"),
        _verb("app.secret", "rm", "Take a secret away"),
    ]
)
APP = dict(
    [
        _verb("app", "ls", "List apps: yours, or everybody's with --all"),
        _verb("app", "show", "Show an app: instances, addresses, balance, price"),
        _verb("app", "logs", "Print what an app's containers write"),
        _verb("app", "exec", "Run a command inside an app's container, with a terminal or without"),
        _verb("app", "stats", "Show what an app's containers use: CPU, memory, network, disk"),
        _verb("app", "top", "Watch your apps on one screen, live"),
        _verb("app", "scale", "Change how many instances run"),
        _verb("app", "update", "Replace what runs by a new version of the file"),
        _verb("app", "rollback", "Go back to an earlier version, step by step as an update"),
        _verb("app", "pause", "Stop all instances, keep volumes"),
        _verb("app", "resume", "Start a paused app again"),
        _verb("app", "topup", "Add to an app's balance"),
        _verb("app", "events", "List everything the chain recorded of an app"),
        _verb("app", "why", "Explain: why here, why not there, why moved, why closed, what it cost"),
        _verb("app", "move", "Move an instance to another node"),
        _verb("app", "rebalance", "Move instances to nodes that are cheaper today, one by one"),
        ("secret", Noun("flux.cli.app.secret", "Secrets of an app: set, list, remove", verbs=SECRET)),
        _verb("app", "seal", "Give an app's seed to its nodes again"),
        _verb("app", "backup", "Copy an instance's volumes into a file that only you can open"),
        _verb("app", "restore", "Put a backup into an instance's volumes"),
        _verb("app", "rm", "Remove an app; the unused balance comes back"),
    ]
)
NODE_VOLUMES = {
    "ls": Entry("flux.cli.node.volumes.ls", "List volumes on this machine and when they are deleted"),
}
NODE: dict[str, Entry] = dict(
    [
        _verb("node", "init", "Make the keys of a node in a folder"),
        _verb("node", "register", "Stake and register a node on chain"),
        _verb("node", "start", "Run the agent of a registered node"),
        _verb("node", "benchmark", "Measure this machine; say which tier it reaches and why not higher"),
        _verb("node", "faults", "List faults that the chain saw and nobody has prosecuted yet"),
        _verb("node", "appeal", "Have a jury decide before a node is slashed"),
        _verb("node", "ls", "List nodes"),
        _verb("node", "show", "Show a node: hardware, prices, use, earnings"),
        ("volumes", Noun("flux.cli.node.volumes", "What this machine keeps for tenants", verbs=NODE_VOLUMES)),
        _verb("node", "offer", "Change a node's prices"),
        _verb("node", "drain", "Take nothing new and move away what runs; --undo takes instances again"),
        _verb("node", "leave", "Stop hosting: instances move away first"),
        _verb("node", "stake", "Add to the operator's own stake"),
        _verb("node", "unstake", "Begin to take own stake out"),
        _verb("node", "delegate", "Stake on somebody's node"),
        _verb("node", "undelegate", "Begin to take delegated stake out"),
        _verb("node", "redelegate", "Move stake to another node"),
        _verb("node", "delegations", "List what an account has staked, and what is on its way out"),
        _verb("node", "commission", "Set what the operator keeps of its delegators' rewards"),
        _verb("node", "rewards", "Show what was earned and not taken yet"),
        _verb("node", "claim", "Take rewards"),
        _verb("node", "compound", "Stake rewards on the same node"),
        _verb("node", "roi", "Reckon a node's income against stake, electricity and hardware"),
        _verb("node", "withdraw", "Take stake that is through with unbonding"),
    ]
)
VALIDATOR = dict(
    [
        _verb("validator", "on", "Opt a node in: it takes part in consensus"),
        _verb("validator", "off", "Opt a node out"),
        _verb("validator", "show", "Show a validator: power, blocks signed and missed, reveals"),
        _verb("validator", "ls", "List the validator set and who waits for a seat"),
        _verb("validator", "unjail", "Come back after too many missed blocks"),
        _verb("validator", "onion", "Commit to a new hash onion after the old one was lost"),
    ]
)
JURY = dict(
    [
        _verb("jury", "ls", "List cases against nodes and who judges them"),
        _verb("jury", "commit", "Vote in a jury; nobody sees how"),
        _verb("jury", "reveal", "Show how you voted"),
        _verb("jury", "prosecute", "Open a case against a node"),
    ]
)
WALLET = dict(
    [
        _verb("wallet", "new", "Make a key"),
        _verb("wallet", "import", "Take in a key: words, private key or keystore file"),
        _verb("wallet", "ls", "List keys and what they hold"),
        _verb("wallet", "balance", "Show what an account holds"),
        _verb("wallet", "send", "Send FLUX"),
        _verb("wallet", "sign", "Sign a message (EIP-191)"),
        _verb("wallet", "export", "Print a key as an encrypted keystore"),
    ]
)
CHAIN = dict(
    [
        _verb("chain", "start", "Run a chain with JSON-RPC"),
        _verb("chain", "init", "Make keys, settings and genesis of a node that takes part in consensus"),
        _verb("chain", "status", "Show the chain: id, head, fees"),
        _verb("chain", "block", "Show a block"),
        _verb("chain", "tx", "Show a transaction: what it did, or why it failed"),
        _verb("chain", "params", "Show the protocol's parameters"),
        _verb("chain", "join", "Make the folder of a node that joins a running network"),
        _verb("chain", "trust", "Say which block verification begins with, or show it"),
        _verb("chain", "export", "Write all blocks to a file"),
        _verb("chain", "import", "Execute the blocks of such a file"),
    ]
)
DAO = dict(
    [
        _verb("dao", "ls", "List proposals, the newest first"),
        _verb("dao", "show", "Show a proposal: what it does, how the vote stands"),
        _verb("dao", "propose", "Propose a change: a parameter, a grant, an upgrade, a denial"),
        _verb("dao", "vote", "Vote for or against a proposal, or abstain"),
        _verb("dao", "queue", "Send a passed proposal into the timelock by hand"),
        _verb("dao", "execute", "Carry out a proposal by hand after its timelock"),
        _verb("dao", "cancel", "Take your own proposal back before the vote"),
        _verb("dao", "power", "Show an account's voting power"),
        _verb("dao", "lock", "Lock FLUX to vote with it"),
        _verb("dao", "unlock", "Get locked FLUX back after a delay"),
        _verb("dao", "delegate", "Let another account vote with your power"),
    ]
)
POLICY = dict(
    [
        _verb("policy", "ls", "List images and apps that the network voted not to run"),
        _verb("policy", "show", "Say whether an app or its images are denied, and for how long it may go on"),
        _verb("policy", "appeal", "Ask the voters to think again about your app"),
        _verb("policy", "enforce", "Close a denied app whose notice is over"),
    ]
)
ORACLE = dict(
    [
        _verb("oracle", "show", "Show the price of FLUX in dollars and who reports it"),
        _verb("oracle", "join", "Put down the bond as an admitted feeder"),
        _verb("oracle", "feed", "Report the price, once or again and again"),
        _verb("oracle", "leave", "Stop feeding; the bond comes back"),
    ]
)
INGRESS = dict(
    [
        _verb("ingress", "start", "Serve apps at http://<app>.<domain>"),
    ]
)

NOUNS: dict[str, Entry] = {
    "up": Entry("flux.cli.up", "Start a whole cloud on this machine", _CLOUD),
    "down": Entry("flux.cli.down", "Stop it", _CLOUD),
    "status": Entry("flux.cli.status", "Show its processes, chain, nodes and apps", _CLOUD),
    "deploy": Entry("flux.cli.deploy", "Deploy a Compose file or Flux spec", _TENANTS),
    "plan": Entry("flux.cli.plan", "Say where a file could run and at what price, without deploying", _TENANTS),
    "spec": Noun("flux.cli.spec", "Read specs without deploying them", _TENANTS, verbs=SPEC),
    "app": Noun("flux.cli.app", "Operate deployed apps", _TENANTS, verbs=APP),
    "node": Noun("flux.cli.node", "Host: register and run nodes", _OPERATORS, verbs=NODE),
    "validator": Noun("flux.cli.validator", "Take part in consensus", _OPERATORS, verbs=VALIDATOR),
    "ingress": Noun("flux.cli.ingress", "Serve apps to the public", _OPERATORS, verbs=INGRESS),
    "jury": Noun("flux.cli.jury", "Judge nodes: cases, appeals, votes", _OPERATORS, verbs=JURY),
    "wallet": Noun("flux.cli.wallet", "Keys and FLUX", _ALL, verbs=WALLET),
    "dao": Noun("flux.cli.dao", "Govern: propose, vote, lock FLUX", _ALL, verbs=DAO),
    "policy": Noun("flux.cli.policy", "What the network does not run", _ALL, verbs=POLICY),
    "oracle": Noun("flux.cli.oracle", "The price of FLUX in US dollars", _ALL, verbs=ORACLE),
    "chain": Noun("flux.cli.chain", "Run and inspect the chain", _ALL, verbs=CHAIN),
}
