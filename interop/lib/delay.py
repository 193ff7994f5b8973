"""A wire that takes its time: two TAP devices, between which frames are carried late and in order.

delay.py NAME NAME MILLISECONDS JITTER, in the network namespace that the devices are to be in; it says so when they are
there. The kernel's own means, netem, is not in every kernel.
"""

import collections
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000


def tap(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


def read_all(device):
    while True:
        try:
            yield os.read(device, 65536)
        except BlockingIOError:
            return


def main(first, second, delay, jitter):
    ends = [tap(first), tap(second)]
    others = {ends[0]: ends[1], ends[1]: ends[0]}
    # What is under way to each end, with the time at which it arrives.
    under_way = {end: collections.deque() for end in ends}
    print("READY", flush=True)
    while True:
        now = time.monotonic()
        for end, frames in under_way.items():
            while frames and frames[0][0] <= now:
                try:
                    os.write(end, frames.popleft()[1])
                except OSError:
                    # The device is down or its queue full: a frame is lost, as on any wire.
                    pass
        due = [frames[0][0] for frames in under_way.values() if frames]
        pause = max(0, min(due) - now) if due else None
        readable, _, _ = select.select(ends, [], [], pause)
        for end in readable:
            frames = under_way[others[end]]
            for frame in read_all(end):
                at = time.monotonic() + max(0, delay + random.uniform(-jitter, jitter)) / 1000
                # A frame does not overtake the one before it.
                frames.append((max(at, frames[-1][0] if frames else 0), frame))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
