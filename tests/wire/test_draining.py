"""A server that drains: what may still be asked, and what is closed when."""

from __future__ import annotations

import asyncio

import uvloop

from neocloud.wire import serve


def test_draining_waits_for_a_first_request_that_is_on_its_way() -> None:
    async def main() -> None:
        server = await serve(lambda exchange: exchange.respond(200, (), b"ok"), "127.0.0.1", 0)
        fresh = await asyncio.open_connection(*server.address)
        silent = await asyncio.open_connection(*server.address)
        used = await asyncio.open_connection(*server.address)
        used[1].write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await used[0].read(4096)).endswith(b"ok")
        while server.connections < 3:
            await asyncio.sleep(0.001)
        server.drain()
        assert await used[0].read() == b""
        fresh[1].write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        text = await fresh[0].read()
        assert (text.endswith(b"ok"), b"connection: close" in text) == (True, True)
        late = await asyncio.open_connection(*server.address)
        late[1].write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await late[0].read()).endswith(b"ok")
        assert await silent[0].read() == b""  # nothing came: it is closed after a moment
        for _, writer in (fresh, silent, used, late):
            writer.close()
        await server.close_gracefully(0)

    uvloop.run(main())
