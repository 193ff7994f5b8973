#!/usr/bin/env bash
# baiocas 2.0.0 (PyPI, with tornado 6.5.2): messages whose data are 0, false, "" or empty never arrive.
#
# One would expect: a counter's 0, a switch's false, an empty list of users are data as any other.
# What happens: the client asks whether the data are "true" for Python. What is not is an "unknown message", told as a
# warning in the log; the subscriber hears 1, true and [0], and not the way back to 0.
# For a Bayeux user: put such values into an object, `{"value": 0}`, on channels that Python clients listen to.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv
venv/bin/pip install -q --no-compile --disable-pip-version-check baiocas==2.0.0 tornado==6.5.2

cat >probe.py <<'EOF'
import json

from baiocas.channel_id import ChannelId
from baiocas.client import Client
from baiocas.transports.long_polling import LongPollingHttpTransport
from tornado import httpserver, ioloop, netutil, web

SENT = [1, 0, True, False, "on", "", [0], [], {"a": 0}, {}]
asked = 0


class Bayeux(web.RequestHandler):
    def post(self, *_path):
        global asked
        replies = []
        for message in json.loads(self.request.body):
            channel = message["channel"]
            reply = {"channel": channel, "id": message["id"], "successful": True}
            if channel == "/meta/handshake":
                reply |= {"clientId": "c1", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
            if channel == "/meta/subscribe":
                reply["subscription"] = message["subscription"]
                replies += [{"channel": "/state", "data": data} for data in SENT]
                replies += [{"channel": "/end", "data": "end"}]
            if channel == "/meta/connect":
                asked += 1
                reply["advice"] = {"reconnect": "retry", "interval": 100, "timeout": 1000}
            replies.append(reply)
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(replies))


loop = ioloop.IOLoop.current()
sockets = netutil.bind_sockets(0, "127.0.0.1")
httpserver.HTTPServer(web.Application([(r"/cometd(/.*)?", Bayeux)])).add_sockets(sockets)
client = Client(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/cometd")
client.register_transport(LongPollingHttpTransport())
heard = []
client.get_channel("/end").add_listener(lambda channel, message: loop.stop())
client.get_channel("/meta/handshake").add_listener(
    lambda channel, message: client.get_channel("/state").subscribe(lambda c, m: heard.append(m.data))
)
loop.call_later(20, loop.stop)
loop.add_callback(client.handshake)
loop.start()
assert heard == [1, True, "on", [0], {"a": 0}], heard
print("ok: sent", json.dumps(SENT))
print("ok: got", json.dumps(heard))
EOF
timeout 40 venv/bin/python probe.py 2>log || { cat log >&2; exit 1; }
