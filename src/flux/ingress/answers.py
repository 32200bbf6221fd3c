"""What the ingress itself answers, in words for the person at the browser. Pure."""

from typing import Any

_RETRY_SECONDS = "2"


def unknown_app(domain: str) -> dict[str, Any]:
    """Nothing is deployed under the name that was asked for."""
    return _text(
        404,
        f"No app is served as {{http.request.host}} here.\n\n"
        f"Apps answer at http://<app>.{domain}. Check the name with `flux app ls`, or deploy it with `flux deploy`.\n",
    )


def not_running(name: str) -> dict[str, Any]:
    """The app is there and none of its instances runs yet, or any more."""
    return _text(
        503,
        f"The app {name} has no running instance at the moment.\n\n"
        "If it was just deployed, it is starting: try again in a few seconds.\n"
        f"`flux app why {name}` says why no node runs it; `flux app show {name}`, if it is paused or out of funds.\n",
        retry=True,
    )


def starting() -> dict[str, Any]:
    """The ingress does not know yet which apps there are."""
    return _text(503, "The ingress is starting and has not reached the chain yet. Try again in a moment.\n", retry=True)


def loop() -> dict[str, Any]:
    """A node's address leads back to an ingress."""
    return _text(508, "This request has been through an ingress already: a node's address points to an ingress.\n")


def failed_upstream() -> list[dict[str, Any]]:
    """Routes for errors: every instance that was tried failed."""
    gone = {"match": [{"expression": "{http.error.status_code} in [502, 503, 504]"}], "terminal": True}
    sentence = (
        "No instance of this app answers at the moment. The network is replacing it: try again in a few seconds.\n"
    )
    return [
        {**gone, "handle": [_text("{http.error.status_code}", sentence, retry=True)]},
        {"handle": [_text("{http.error.status_code}", "The ingress could not serve this request.\n")]},
    ]


def _text(status: int | str, body: str, *, retry: bool = False) -> dict[str, Any]:
    headers = {
        "Content-Type": ["text/plain; charset=utf-8"],
        "X-Content-Type-Options": ["nosniff"],
        "Cache-Control": ["no-store"],
    }
    if retry:
        headers["Retry-After"] = [_RETRY_SECONDS]
    return {"handler": "static_response", "status_code": str(status), "headers": headers, "body": body}
