"""Names of images, with the defaults that every container tool puts in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.specs.image_reference import ImageReferenceError, parse_image_reference

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27-alpine", "docker.io/library/nginx:1.27-alpine"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("ghcr.io/me/app:v1", "ghcr.io/me/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}"),
        ("e/a__b.c-d", "docker.io/e/a__b.c-d:latest"),
    ],
)
def test_a_name_is_completed(text: str, full: str) -> None:
    reference = parse_image_reference(text)
    assert str(reference) == full
    assert parse_image_reference(full) == reference


def test_a_pinned_name_has_no_tag() -> None:
    reference = parse_image_reference("nginx:1.27")
    assert str(reference.pinned(DIGEST)) == f"docker.io/library/nginx@{DIGEST}"
    assert reference.target == "1.27"
    assert reference.pinned(DIGEST).target == DIGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NGINX",
        "nginx:",
        "nginx:a b",
        "nginx@sha256:12",
        "nginx@",
        "a//b",
        "/a",
        "a/",
        "-a",
        "a..b",
        "http://a/b",
        "x" * 256,
        "exa mple.com/a",
        "ä/b",
    ],
)
def test_a_text_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ImageReferenceError):
        parse_image_reference(text)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        reference = parse_image_reference(text)
    except ImageReferenceError:
        return
    assert parse_image_reference(str(reference)) == reference
