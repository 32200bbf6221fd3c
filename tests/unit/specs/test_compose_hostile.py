"""Files that nobody meant well: any value under any key gives findings or a spec that the chain accepts."""

import contextlib
import json
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flux.contracts.apps.types import AppSpec
from flux.specs.compose.extension import KEYS
from flux.specs.compose.keys import NETWORK_KEYS, TOP_LEVEL, VOLUME_KEYS
from flux.specs.compose.service import KNOWN
from flux.specs.load import load
from flux.specs.loaded import SpecRefused

Accepted = Callable[[AppSpec], None]

# What some key understands, so that the search gets past the first check.
_USUAL = """
web db data data:/data /data 80 80:80 1-3:4-6 127.0.0.1:80:80 nginx 512m 0.5 30s always no on-failure:3 true CMD NONE
service_healthy acEU aEU bFR gpu all ${A} ${A:-b} $ ~ = A=b A root:root SIGTERM linux/arm64 -1 1e9 cumulus web:80 host
flux.app=1 a=b ../.. C:\\a é
"""
_INNER_KEYS = """
test interval retries condition target published source type resources limits cpus memory reservations devices count
capabilities replicas db web A path size data restart_policy model driver_opts external aliases default start_period
x-flux-size
"""
_WORDS = st.sampled_from((*_USUAL.split(), "", " ", "\u2028", "\x7f", "x" * 300, "9" * 30))
_KEYS = st.sampled_from(_INNER_KEYS.split())
_values = st.recursive(
    _WORDS | st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_services = st.dictionaries(st.sampled_from(sorted(KNOWN)), _values, max_size=5)


def attempt(document: object, accepted_on_chain: Accepted) -> None:
    with contextlib.suppress(SpecRefused):
        accepted_on_chain(load(json.dumps(document), {"A": "value"}).app_spec)


@settings(max_examples=200, deadline=None)
@given(service=_services)
@example(service={"shm_size": "300m"})
@example(service={"volumes": ["data:/data"], "tmpfs": ["/data"]})
@example(service={"ports": [{"target": "80-", "published": ""}]})
@example(service={"stop_signal": "99999999999999999999"})
def test_any_value_under_any_key_of_a_service(accepted_on_chain: Accepted, service: dict[str, object]) -> None:
    document = {
        "services": {"web": {"image": "nginx", **service}, "db": {"image": "postgres"}},
        "volumes": {"data": None},
    }
    attempt(document, accepted_on_chain)


@settings(max_examples=100, deadline=None)
@given(
    extension=st.dictionaries(st.sampled_from(KEYS), _values, max_size=4),
    volume=st.dictionaries(st.sampled_from(VOLUME_KEYS), _values, max_size=2) | _values,
    network=st.dictionaries(st.sampled_from(NETWORK_KEYS), _values, max_size=2) | _values,
)
def test_any_value_under_x_flux_volumes_and_networks(
    accepted_on_chain: Accepted, extension: object, volume: object, network: object
) -> None:
    document = {
        "services": {"web": {"image": "nginx", "volumes": ["data:/d"], "ports": ["80:80"], "restart": "always"}},
        "volumes": {"data": volume},
        "networks": {"back": network},
        "x-flux": extension,
    }
    attempt(document, accepted_on_chain)


@settings(max_examples=50, deadline=None)
@given(document=st.dictionaries(st.sampled_from([*TOP_LEVEL, "x-flux"]), _values, max_size=4) | _values)
def test_any_value_at_the_top(accepted_on_chain: Accepted, document: object) -> None:
    attempt(document, accepted_on_chain)
