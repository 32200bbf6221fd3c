"""Names and labels of what an agent puts on an engine. Names are deterministic: a repeated action meets itself.

They begin with the chain's name: nodes of several chains may share an engine and never touch each other's things.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId, Ordinal
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U16, U32, U64, Hash

ChainName = NewType("ChainName", str)
"""Chain id and the first bytes of the genesis block's hash: 19169-98e33b1b. Local chains all have the same id."""

CHAIN = "flux.chain"
NODE = "flux.node"
LEASE = "flux.lease"
APP = "flux.app"
COMPONENT = "flux.component"
ORDINAL = "flux.ordinal"
REVISION = "flux.revision"
PLAN_HASH = "flux.plan_hash"
AT_MOST_ONE = "flux.at_most_one"
"""On containers of apps of which an instance may run once at the most."""
PREFIX = "flux."
"""Labels under it are ours; a tenant's own labels may not begin with it."""


@dataclass(frozen=True, slots=True)
class InstanceKey:
    """Which instance something belongs to: everything of one instance carries these labels."""

    chain: ChainName
    node: NodeId
    lease: LeaseId
    app: AppId
    ordinal: Ordinal
    revision: Revision

    def labels(self) -> dict[str, str]:
        """Labels of the instance's network, and a part of those of its containers."""
        return {
            CHAIN: self.chain,
            NODE: str(self.node),
            LEASE: str(self.lease),
            APP: str(self.app),
            ORDINAL: str(self.ordinal),
            REVISION: str(self.revision),
        }

    def component_labels(self, component: str, plan_hash: str) -> dict[str, str]:
        """Labels of one container; `plan_hash` covers all that would need a new container when it changed."""
        return {**self.labels(), COMPONENT: component, PLAN_HASH: plan_hash}

    def volume_labels(self) -> dict[str, str]:
        """Labels of the instance's volumes, which outlive its lease."""
        return {CHAIN: self.chain, NODE: str(self.node), APP: str(self.app), ORDINAL: str(self.ordinal)}


@dataclass(frozen=True, slots=True)
class VolumeKey:
    """Whose a volume is: an app's instance on a node, whatever lease it has."""

    node: NodeId
    app: AppId
    ordinal: Ordinal


def chain_name(chain_id: int, genesis: Hash) -> ChainName:
    """The name of the chain whose genesis block has this hash."""
    return ChainName(f"{chain_id}-{genesis[:4].hex()}")


def chain_labels(chain: ChainName) -> dict[str, str]:
    """What selects everything of all of a chain's nodes on an engine."""
    return {CHAIN: chain}


def node_labels(chain: ChainName, node: NodeId) -> dict[str, str]:
    """What selects everything of one node on an engine that several nodes share."""
    return {CHAIN: chain, NODE: str(node)}


def find_instance(labels: Mapping[str, str]) -> InstanceKey | None:
    """The instance that something belongs to, or None when it is not ours or its labels make no sense."""
    try:
        return InstanceKey(
            chain=ChainName(labels[CHAIN]),
            node=NodeId(U32(int(labels[NODE]))),
            lease=LeaseId(U64(int(labels[LEASE]))),
            app=AppId(U64(int(labels[APP]))),
            ordinal=Ordinal(U16(int(labels[ORDINAL]))),
            revision=Revision(U32(int(labels[REVISION]))),
        )
    except (KeyError, ValueError):
        return None


def find_volume_owner(labels: Mapping[str, str]) -> VolumeKey | None:
    """Whose a volume is, or None when it is not ours or its labels make no sense."""
    try:
        return VolumeKey(
            NodeId(U32(int(labels[NODE]))), AppId(U64(int(labels[APP]))), Ordinal(U16(int(labels[ORDINAL])))
        )
    except (KeyError, ValueError):
        return None


def container_name(chain: ChainName, node: NodeId, lease: LeaseId, component: str) -> str:
    """Engine-wide name of a component's container."""
    return f"flux-{chain}-{node}-{lease}-{component}"


def network_name(chain: ChainName, node: NodeId, lease: LeaseId) -> str:
    """Engine-wide name of an instance's network."""
    return f"flux-{chain}-{node}-{lease}"


def volume_name(chain: ChainName, node: NodeId, app: AppId, ordinal: Ordinal, volume: str) -> str:
    """Engine-wide name of a named volume. It belongs to the app's instance, so a later lease on the node finds it."""
    return f"flux-{chain}-{node}-app{app}-{ordinal}-{volume}"


def short_volume_name(name: str) -> str:
    """What the spec calls a volume of this engine-wide name."""
    return name.split("-", 6)[-1]
