#!/usr/bin/env bash
# CometD's Java client 8.0.10 with the Jakarta WebSocket client of Jetty 12.0.25 (Maven): a frame of more than 64 KiB
# closes the connection; over long-polling the same message arrives.
#
# One would expect: both transports of one client take messages of the same size.
# What happens: the WebSocket container takes text of 65,536 bytes, which the client does not raise; its long-polling takes
# 1 MiB. The larger frame is answered with close code 1009. The client connects again, the message is gone, and the
# application is told of a broken connection only.
# For a Bayeux user: a server must not put more than 64 KiB into a frame for Java clients, be it one message or many small
# ones in one array. In the client set `maxMessageSize` in the transport's options.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-client-http-jetty</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-client-websocket-jakarta</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.eclipse.jetty.ee10.websocket</groupId><artifactId>jetty-ee10-websocket-jakarta-client</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }
npm install --silent --no-audit --no-fund ws@8.18.3

cat >Probe.java <<'EOF'
import jakarta.websocket.ContainerProvider;
import java.util.HashMap;
import java.util.Map;
import org.cometd.client.BayeuxClient;
import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.websocket.jakarta.WebSocketTransport;
import org.eclipse.jetty.client.HttpClient;

class Probe {
    public static void main(String[] args) throws Exception {
        Map<String, Object> options = new HashMap<>();
        if (args.length > 2) {
            options.put("maxMessageSize", Integer.valueOf(args[2]));
        }
        var http = new HttpClient();
        http.start();
        var transport = args[1].equals("websocket")
                ? new WebSocketTransport(options, null, ContainerProvider.getWebSocketContainer())
                : new JettyHttpClientTransport(options, http);
        var client = new BayeuxClient("http://127.0.0.1:" + args[0] + "/cometd", transport);
        client.handshake(10_000);
        client.getChannel("/a").subscribe((channel, message) -> {
            System.out.println(((String) message.getData()).length());
        });
        System.in.read();
        System.exit(0);
    }
}
EOF
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {createInterface} from 'node:readline';
import {WebSocketServer} from 'ws';

const SIZES = [60_000, 66_000];

/** Answers, each for a frame of its own; a subscription is followed by a small and a large message. */
function answers({channel, id, subscription}) {
  const reply = {channel, id, successful: true, subscription};
  if (channel === '/meta/handshake') {
    const supportedConnectionTypes = ['websocket', 'long-polling'];
    Object.assign(reply, {clientId: 'c1', version: '1.0', supportedConnectionTypes});
  }
  return channel === '/meta/subscribe' ? [reply, ...SIZES.map((n) => ({channel: '/a', data: 'x'.repeat(n)}))] : [reply];
}
const held = ({channel, advice}) => channel === '/meta/connect' && advice?.timeout !== 0;
const http = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const messages = JSON.parse(text);
  if (!messages.every(held)) response.end(JSON.stringify(messages.flatMap(answers)));
}).listen(0, '127.0.0.1');
await once(http, 'listening');
new WebSocketServer({server: http}).on('connection', (socket) => {
  socket.on('message', (text) => {
    const messages = JSON.parse(text).filter((message) => !held(message));
    for (const answer of messages.flatMap(answers)) socket.send(JSON.stringify([answer]));
  });
  socket.on('close', (code) => http.emit('closed', code));
});

/** The sizes that arrive, and how the WebSocket ends if it does. */
async function outcome(...settings) {
  const java = ['-XX:TieredStopAtLevel=1', '-cp', 'lib/*', 'Probe.java', `${http.address().port}`, ...settings];
  const client = spawn('java', java, {stdio: ['pipe', 'pipe', 'ignore']});
  const sizes = [];
  const all = new Promise((done) => {
    createInterface({input: client.stdout}).on('line', (line) => {
      if (sizes.push(Number(line)) === SIZES.length) done('connected');
    });
  });
  const closed = once(http, 'closed', {signal: AbortSignal.timeout(20_000)}).then(([code]) => `closed with ${code}`);
  closed.catch(() => {});
  const end = await Promise.race([all, closed]);
  client.kill('SIGKILL');
  return `${sizes} ${end}`;
}
for (const [settings, expected] of [
  [['websocket'], '60000 closed with 1009'],
  [['long-polling'], '60000,66000 connected'],
  [['websocket', '1000000'], '60000,66000 connected'],
]) {
  const seen = await outcome(...settings);
  assert.equal(seen, expected, settings.join());
  console.log(`ok: ${settings.join(', maxMessageSize ')}: ${seen}`);
}
process.exit();
EOF
timeout 80 node probe.mjs
