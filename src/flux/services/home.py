"""Where things lie under FLUX_HOME. The only place that names these folders."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FluxHome:
    """FLUX_HOME of one user."""

    path: Path

    @property
    def node(self) -> Path:
        """Keys of the node that this machine hosts, unless named otherwise."""
        return self.path / "node"

    @property
    def chain(self) -> Path:
        """A chain that was started by hand."""
        return self.path / "chain"

    @property
    def ingress(self) -> Path:
        return self.path / "ingress"

    @property
    def seeds(self) -> Path:
        """Seeds of deployed apps' private halves."""
        return self.path / "seeds"

    @property
    def cloud(self) -> "CloudHome":
        """The local cloud."""
        return CloudHome(self.path / "cloud")


@dataclass(frozen=True, slots=True)
class CloudHome:
    """Folder of one local cloud: everything it writes, so that removing it leaves nothing."""

    path: Path

    @property
    def chain(self) -> Path:
        return self.path / "chain"

    @property
    def ingress(self) -> Path:
        return self.path / "ingress"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def state(self) -> Path:
        """Which processes run."""
        return self.path / "state.json"

    @property
    def chain_name(self) -> Path:
        """By which name its containers and volumes are found on the engine, once there was a chain."""
        return self.path / "chain-name"

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.path / "supervisor.lock"

    @property
    def validators(self) -> Path:
        """The chain homes of a cloud whose blocks several agree on."""
        return self.path / "validators"

    def validator(self, index: int) -> Path:
        """A ChainHome of the validator `index`, from 0."""
        return self.validators / str(index + 1)

    def node(self, index: int) -> Path:
        """Keys of the node `index`, from 0."""
        return self.path / "nodes" / str(index + 1)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
