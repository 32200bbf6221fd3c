"""Options of the command line go before the file, and are checked as strictly."""

import pytest

from flux.contracts.apps.types import Constraints
from flux.primitives.types import flux
from flux.specs.load import load
from flux.specs.loaded import SpecError
from flux.specs.overrides import Overrides, override

FILE = "name: shop\nservices: {web: {image: nginx}}\nx-flux: {instances: 2, geo: acEU, max_price: 1, static_ip: true}\n"


def test_what_is_not_given_stays_as_the_file_has_it() -> None:
    loaded = load(FILE)
    assert override(loaded, Overrides()) == loaded


def test_every_option_goes_before_the_file() -> None:
    typed = Overrides("store", 3, ["acNA", "a!cNA_MX"], "0.25", "12", "nimbus")
    loaded = override(load(FILE), typed)
    assert (loaded.options.name, loaded.options.instances, loaded.options.deposit) == ("store", 3, flux(12))
    assert loaded.app_spec.constraints == Constraints(
        geo=("acNA", "a!cNA_MX"), min_tier=2, max_price_gwei_hour=250_000_000, static_ip=True
    )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (Overrides(name="My Shop"), "--name: .* try my-shop"),
        (Overrides(instances=0), "--instances"),
        (Overrides(geo=["EU"]), "--geo: 'EU' is not a geolocation rule"),
        (Overrides(max_price="cheap"), "--max-price: expected an amount"),
        (Overrides(deposit="-1"), "--deposit"),
        (Overrides(tier="gold"), "--tier: 'gold' is not one of cumulus, nimbus, stratus"),
    ],
)
def test_a_wrong_option_is_named(typed: Overrides, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        override(load(FILE), typed)
