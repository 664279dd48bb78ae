#!/usr/bin/env python3
"""A TCP proxy that makes a network of the loopback: a round trip, and a rate.

usage: wan.py PORT ROUND_TRIP_MS MBIT

Prints the port it listens on, and passes connections on to PORT of this
machine. All connections share the rate, each way. There is no slow start, so a
real network of that kind is slower at the beginning of each connection.
"""
import asyncio
import sys

PIECE = 64 << 10


class Way:
    """One direction of all connections."""

    def __init__(self, delay, rate):
        self.delay, self.rate, self.free = delay, rate, 0.0

    def due(self, n):
        """When the last of `n` bytes that come now is there."""
        now = asyncio.get_running_loop().time()
        self.free = max(now, self.free) + n / self.rate
        return self.free + self.delay


async def pump(reader, writer, way):
    on_the_way = asyncio.Queue(maxsize=64)

    async def deliver():
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(
                max(0, due - asyncio.get_running_loop().time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    delivers = asyncio.create_task(deliver())
    try:
        while True:
            data = await reader.read(PIECE)
            await on_the_way.put((way.due(len(data)), data))
            if not data:
                break
        await delivers
    except (OSError, asyncio.CancelledError):
        delivers.cancel()


async def main(port, round_trip, mbit):
    there, back = [Way(round_trip / 2000, mbit * 125000) for _ in range(2)]

    async def connect(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection(
                "127.0.0.1", port)
        except OSError:
            writer.close()
            return
        # What connecting takes: the kernel's own answered at once.
        await asyncio.sleep(round_trip / 1000)
        await asyncio.gather(pump(reader, to_writer, there),
                             pump(to_reader, writer, back))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]),
                     float(sys.argv[3])))
