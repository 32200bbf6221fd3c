"""The seats of the validator set, and what of them the consensus engine must be told at the end of the block.

Every change counts against the epoch's limit, so that no epoch changes a third of the power or more.
"""

from flux.contracts.validators import rules
from flux.contracts.validators.state import ValidatorsState
from flux.contracts.validators.types import PowerChanged, Seat
from flux.kernel.context import Host
from flux.primitives.types import U64, ConsensusAddress, Hash


class Seats:
    """Reads and changes the set."""

    def __init__(self, host: Host, state: ValidatorsState) -> None:
        self._host = host
        self._state = state

    def powers(self) -> dict[ConsensusAddress, int]:
        """Power by address, in the order of the addresses."""
        return {address: int(seat.power) for address, seat in self._state.seats.items()}

    def begin_epoch(self) -> None:
        """From here on another third less one may change.

        What this block changed before is undone, to be chosen anew: the engine sees one change of the set for a block,
        and one epoch's limit must bound it.
        """
        for address, seat in self._state.touched.items():
            if seat.power:
                self._state.seats.set(address, seat)
            else:
                self._state.seats.delete(address)
        self._state.change_left.set(U64(rules.change_limit(sum(self.powers().values()))))

    def approach(self, target: rules.Powers) -> None:
        """Go towards the target as far as this epoch still allows."""
        before = self.powers()
        after, left = rules.step(before, target, self._state.change_left.get())
        self._state.change_left.set(U64(left))
        for address in sorted({*before, *after}):
            if before.get(address, 0) != after.get(address, 0):
                self._set(address, after.get(address, 0))

    def remove(self, address: ConsensusAddress) -> None:
        """Take a seat away, as far as this epoch still allows; the rest follows at the next epoch's end."""
        seats = self.powers()
        if address in seats:
            target = {other: power for other, power in seats.items() if other != address}
            self.approach(target)

    def take_updates(self) -> list[Seat]:
        """What the engine must be told of this block's changes, in the order of the addresses; power 0 removes."""
        updates = []
        for address, before in list(self._state.touched.items()):
            self._state.touched.delete(address)
            seat = self._state.seats.find(address)
            power = U64(0) if seat is None else seat.power
            if power != before.power:
                updates.append(Seat(before.public_key, power))
                self._host.emit(PowerChanged(address, before.power, power))
        return updates

    def _set(self, address: ConsensusAddress, power: int) -> None:
        seat = self._state.seats.find(address)
        known = self._public_key(address) if seat is None else seat.public_key
        if address not in self._state.touched:
            self._state.touched.set(address, Seat(known, U64(0)) if seat is None else seat)
        if power:
            self._state.seats.set(address, Seat(known, U64(power)))
        else:
            self._state.seats.delete(address)

    def _public_key(self, address: ConsensusAddress) -> Hash:
        return self._state.keys.get(address).public_key
