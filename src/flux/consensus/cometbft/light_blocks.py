"""Light blocks and peers from the node's own CometBFT, over its RPC on loopback: for `flux_lightBlock`, `flux_peers`.

Nothing is checked here: who asks verifies. Only what a light client or a joining node reads is passed on.
"""

import json
import urllib.error
import urllib.request
from typing import Any

_SECONDS = 10.0
_PAGE = 100
"""Validators in one answer, the most that CometBFT gives."""
_MAX_BYTES = 16 * 1024 * 1024


class CometLightBlocks:
    """Implements the RPC's LightBlocks."""

    def __init__(self, rpc_port: int) -> None:
        self._url = f"http://127.0.0.1:{rpc_port}"

    def light_block(self, height: int | None) -> dict[str, object]:
        """`signed_header` and `validators`. Raises LookupError when CometBFT has no such block or does not answer."""
        signed: dict[str, Any] = self._ask("commit", {} if height is None else {"height": str(height)})["signed_header"]
        at = str(signed["header"]["height"])
        validators: list[object] = []
        while True:
            page = {"height": at, "page": str(len(validators) // _PAGE + 1), "per_page": str(_PAGE)}
            answer = self._ask("validators", page)
            validators += answer["validators"]
            if not answer["validators"] or len(validators) >= int(answer["total"]):
                return {"signed_header": signed, "validators": validators}

    def peers(self) -> list[dict[str, object]]:
        """Where this node and those it is connected to take connections. Raises LookupError."""
        found = [_peer(self._ask("status", {})["node_info"], None)]
        return found + [_peer(peer["node_info"], peer["remote_ip"]) for peer in self._ask("net_info", {})["peers"]]

    def _ask(self, method: str, params: dict[str, str]) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                answer = json.loads(response.read(_MAX_BYTES))
        except urllib.error.HTTPError as error:
            answer = _error_of(error.read(_MAX_BYTES))
        except (OSError, ValueError) as error:
            raise LookupError(f"this node's cometbft does not answer ({error}); try again in some seconds") from error
        if "result" not in answer:
            problem = answer.get("error", {})
            raise LookupError(f"no such light block here: {problem.get('data') or problem.get('message')}")
        result: dict[str, Any] = answer["result"]
        return result


def _peer(info: dict[str, Any], host: object) -> dict[str, object]:
    """`host` is null where the asker knows it better."""
    return {"id": info["id"], "host": host, "port": int(str(info["listen_addr"]).rpartition(":")[2])}


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"error": {"message": body[:200].decode("utf-8", "replace")}}
