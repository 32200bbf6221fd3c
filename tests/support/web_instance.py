"""A small web service in a process of its own, as an app's instance: it can be killed and stopped like one.

`python web_instance.py NAME`: prints its port. `/` answers its name with status STATUS (200), `/ws` echoes over a
WebSocket, `/slow` answers once somebody asked for `/release`.
"""

import asyncio
import sys

from aiohttp import web


async def main() -> None:
    name, status = sys.argv[1], int(sys.argv[2])

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=name, status=status, headers={"Host-Seen": request.host})

    released = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response(text=name)

    async def release(_: web.Request) -> web.Response:
        released.set()
        return web.Response(text=name)

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{name}: {message.data}")
        return socket

    application = web.Application()
    application.add_routes([web.get("/", hello), web.post("/", hello), web.get("/ws", echo)])
    application.add_routes([web.get("/slow", slow), web.get("/release", release)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
