"""From the chain's routes to Caddy's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.ingress.config import caddy_config
from flux.ingress.options import IngressOptions
from flux.ingress.routes import COOKIE, RouteRules, Target, caddy_routes, read_routes
from support.chain_routes import route

RULES = RouteRules("flux.localhost", "secret")
PUBLIC = RouteRules("flux.example", "secret", allow_private_upstreams=False)


def built(
    *routes: Any, down: tuple[Target, ...] = (), rules: RouteRules = RULES, new: tuple[Target, ...] = ()
) -> list[dict[str, Any]]:
    apps, _ = read_routes(routes, rules)
    return caddy_routes(apps, down, rules, new)


def dials(routes: list[dict[str, Any]], host: str) -> list[str]:
    return [upstream["dial"] for upstream in handler_of(routes, host)["upstreams"]]


def handler_of(routes: list[dict[str, Any]], host: str) -> dict[str, Any]:
    found: dict[str, Any] = served(routes, host)
    return found["routes"][0]["handle"][0] if found["handler"] == "subroute" else found


def served(routes: list[dict[str, Any]], host: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in routes if entry.get("match") == [{"host": [host]}])["handle"][0]
    return found


def test_each_app_is_served_under_its_name_with_all_its_instances() -> None:
    routes = built(route("web", ["10.0.0.1:30000", "10.0.0.2:30001"]), route("api", ["[fd00::1]:8000"]))
    assert dials(routes, "web.flux.localhost") == ["10.0.0.1:30000", "10.0.0.2:30001"]
    assert dials(routes, "api.flux.localhost") == ["[fd00::1]:8000"]


def test_the_order_of_routes_does_not_matter() -> None:
    one, two = route("one", ["10.0.0.1:1"], app=1), route("two", ["10.0.0.2:2"], app=2)
    assert built(one, two) == built(two, one)


def test_an_instance_that_is_down_is_left_out() -> None:
    app = route("web", ["10.0.0.1:1", "10.0.0.2:2"])
    assert dials(built(app, down=(Target("10.0.0.1", 1),)), "web.flux.localhost") == ["10.0.0.2:2"]


def test_an_app_whose_instances_are_all_down_keeps_all() -> None:
    app = route("web", ["10.0.0.1:1", "10.0.0.2:2"])
    down = (Target("10.0.0.1", 1), Target("10.0.0.2", 2))
    assert dials(built(app, down=down), "web.flux.localhost") == ["10.0.0.1:1", "10.0.0.2:2"]


@pytest.mark.parametrize(
    ("down", "new", "served"),
    [
        ("123", "123", "1"),  # an app that starts: requests wait at one
        ("12", "12", "3"),
        ("23", "3", "1"),
        ("123", "23", "1"),  # what served before may come back
        ("123", "3", "12"),
    ],
)
def test_new_instances_serve_when_they_answer_and_one_of_them_where_nobody_else_could(
    down: str, new: str, served: str
) -> None:
    def targets(numbers: str) -> tuple[Target, ...]:
        return tuple(Target(f"10.0.0.{number}", 80) for number in numbers)

    app = route("web", [str(target) for target in targets("123")])
    routes = built(app, down=targets(down), new=targets(new))
    assert dials(routes, "web.flux.localhost") == [str(target) for target in targets(served)]


def test_an_app_without_instances_says_so_and_when_to_come_back() -> None:
    handler = handler_of(built(route("web", [])), "web.flux.localhost")
    assert handler["status_code"] == "503"
    assert handler["headers"]["Retry-After"] == ["2"]
    assert "flux app why web" in handler["body"]


def test_what_no_app_serves_is_answered_last_with_what_to_do() -> None:
    handler = built(route("web", ["10.0.0.1:1"]))[-1]["handle"][0]
    assert handler["status_code"] == "404"
    assert "flux deploy" in handler["body"]


def test_visitors_of_a_sticky_app_stay_and_those_of_others_go_round() -> None:
    targets = ["10.0.0.1:1", "10.0.0.2:2"]
    routes = built(route("sticky", targets, sticky=True, app=1), route("loose", targets, sticky=False, app=2))
    policy = handler_of(routes, "sticky.flux.localhost")["load_balancing"]["selection_policy"]
    assert (policy["policy"], policy["name"]) == ("cookie", COOKIE)
    assert handler_of(routes, "loose.flux.localhost")["load_balancing"]["selection_policy"]["policy"] == "round_robin"


def test_a_read_that_was_given_up_is_tried_once_more_where_another_instance_is() -> None:
    routes = built(route("two", ["10.0.0.1:1", "10.0.0.2:2"], app=1), route("one", ["10.0.0.3:3"], app=2))
    (again,) = served(routes, "two.flux.localhost")["errors"]["routes"]
    assert again["match"] == [{"method": ["GET", "HEAD", "OPTIONS"]}]
    assert "retries" not in again["handle"][0]["load_balancing"]
    assert "errors" not in served(routes, "one.flux.localhost")


def test_streams_are_kept_over_changes_only_where_caddy_can() -> None:
    app = route("web", ["10.0.0.1:1"])
    assert "stream_close_delay" not in handler_of(built(app), "web.flux.localhost")
    keeping = RouteRules("flux.localhost", "secret", keep_streams=True)
    assert "stream_close_delay" in handler_of(built(app, rules=keeping), "web.flux.localhost")


@pytest.mark.parametrize(
    "name", ["", "*", "*.evil", "a.b", "A", "-a", "a-", "a" * 64, "{env.HOME}", "a b", "a\n", "ü", "a/b", 'a"b', "\0"]
)
def test_a_garbage_name_is_skipped_with_a_reason_and_harms_no_other(name: str) -> None:
    apps, skipped = read_routes([route(name, ["10.0.0.1:1"]), route("web", ["10.0.0.2:2"], app=2)], RULES)
    assert [app.name for app in apps] == ["web"]
    assert [entry.reason for entry in skipped] == ["not a DNS label"]


@pytest.mark.parametrize(
    "host",
    [
        "",
        "unix//run/docker.sock",
        "{env.HOME}",
        "a b",
        "10.0.0.1,10.0.0.2",
        "0x7f.1",
        "2130706433",
        "127.1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "host/path",
        "host?x",
        "user@host",
        "-a.example",
        "a..b",
        "a" * 254,
    ],
)
def test_a_garbage_address_is_skipped_and_the_other_instances_serve(host: str) -> None:
    app = route("web", [(host, 80), ("10.0.0.2", 80)])
    apps, skipped = read_routes([app], RULES)
    assert apps[0].targets == (Target("10.0.0.2", 80),)
    assert len(skipped) == 1


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_what_is_not_a_port_is_skipped(port: int) -> None:
    apps, skipped = read_routes([route("web", [("10.0.0.1", port)])], RULES)
    assert apps[0].targets == ()
    assert skipped[0].reason == "not a port"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "localhost",
        "x.localhost",
        "metadata.internal",
        "printer.local",
        "intranet",
        "100.64.0.1",
    ],
)
def test_a_public_ingress_forwards_to_no_private_address(host: str) -> None:
    apps, skipped = read_routes([route("web", [(host, 80), ("203.0.114.9", 80), ("node.example.org", 80)])], PUBLIC)
    assert apps[0].targets == (Target("203.0.114.9", 80), Target("node.example.org", 80))
    assert skipped[0].reason == "not a public address"


def test_the_second_app_of_one_name_is_skipped() -> None:
    apps, skipped = read_routes([route("web", ["10.0.0.2:2"], app=2), route("web", ["10.0.0.1:1"], app=1)], RULES)
    assert [app.targets for app in apps] == [(Target("10.0.0.1", 1),)]
    assert "app 2" in skipped[0].reason


def test_an_instance_listed_twice_is_served_once() -> None:
    apps, _ = read_routes([route("web", ["10.0.0.1:1", "10.0.0.1:1"])], RULES)
    assert apps[0].targets == (Target("10.0.0.1", 1),)


@given(st.lists(st.tuples(st.text(max_size=70), st.text(max_size=40), st.integers(-5, 70_000)), max_size=6))
def test_whatever_strangers_write_no_placeholder_or_wildcard_reaches_caddy(entries: list[tuple[str, str, int]]) -> None:
    made = [route(name, [(host, port)], app=number) for number, (name, host, port) in enumerate(entries)]
    for entry in built(*made)[1:-1]:
        (host,) = entry["match"][0]["host"]
        assert not set(host) & set("{}*/ ")
        for upstream in entry["handle"][0].get("upstreams", []):
            assert not set(upstream["dial"]) & set("{}*/ ,")


def test_the_configuration_listens_where_it_is_told_and_is_administered_only_on_its_socket(tmp_path: Any) -> None:
    options = IngressOptions(home=tmp_path, http_port=80, https_port=443, listen_host="::1")
    config = caddy_config(options, tmp_path / "admin.sock", [])
    assert config["admin"]["listen"] == f"unix/{tmp_path}/admin.sock"
    assert config["apps"]["http"]["servers"]["flux"]["listen"] == ["[::1]:80", "[::1]:443"]
    assert json.loads(json.dumps(config)) == config
