#!/usr/bin/env bash
# faye 1.2.5 (npm; 1.4.3 does not) with CometD's Java server 8.0.10 (Maven): each of its WebSockets is closed as soon as
# it is open.
#
# One would expect: a WebSocket client that finds the server's WebSocket keeps it, or does without.
# What happens: until version 1.3 Faye's client sends a frame `[]`, an array without a message, when its WebSocket opens and
# then from time to time. Faye's own server bears it; CometD's closes with 1011, "bayeux protocol violation". The client
# opens the next one, which is closed, too: either it goes over to long-polling then, or it goes on so at each `retry`.
# For a Bayeux user: a server should pass over frames without messages. With CometD's, old Faye clients need
# `client.disable('websocket')`, or an update.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-http-jakarta</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-websocket-jetty</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.eclipse.jetty.ee10</groupId><artifactId>jetty-ee10-servlet</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }
cat >Server.java <<'EOF'
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

class Probe {
    public static void main(String[] args) throws Exception {
        var jetty = new Server();
        var connector = new ServerConnector(jetty, 1, 1);
        connector.setHost("127.0.0.1");
        jetty.addConnector(connector);
        var context = new ServletContextHandler("/");
        jetty.setHandler(context);
        context.insertHandler(WebSocketUpgradeHandler.from(jetty, context));
        var bayeux = new BayeuxServerImpl();
        bayeux.setOption(Context.class.getName(), context.getContext());
        bayeux.setOption("ws.cometdURLMapping", "/cometd");
        bayeux.setTransports(new JettyWebSocketTransport(bayeux), new JSONHttpTransport(bayeux));
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        var servlet = new ServletHolder(new CometDServlet());
        servlet.setAsyncSupported(true);
        servlet.setInitOrder(1);
        context.addServlet(servlet, "/cometd/*");
        context.addBean(bayeux);
        jetty.start();
        System.out.println(connector.getLocalPort());
        Thread.sleep(60_000);
        System.exit(0);
    }
}
EOF
npm install --silent --no-audit --no-fund faye-1.4@npm:faye@1.4.3 faye-1.2@npm:faye@1.2.5 ws@8.18.3
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {connect, createServer as createLink} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import faye from 'faye-1.4';
import {WebSocket, WebSocketServer} from 'ws';

const patience = () => ({signal: AbortSignal.timeout(20_000)});
const java = `http://127.0.0.1:${process.argv[2]}/cometd`;

// What each version sends first over a WebSocket.
const handshake = ({channel, id}) => {
  const supportedConnectionTypes = ['websocket', 'long-polling'];
  return {channel, id, successful: true, clientId: 'c1', version: '1.0', supportedConnectionTypes};
};
for (const [version, expected] of [['1.2', '[]'], ['1.4', 'a message']]) {
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    response.end(JSON.stringify(JSON.parse(text).map(handshake)));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server = new WebSocketServer({server: http});
  server.on('connection', (socket) => socket.once('message', (frame) => server.emit('frame', `${frame}`)));
  const frames = once(server, 'frame', patience());
  const {default: library} = await import(`faye-${version}`);
  const client = new library.Client(`http://127.0.0.1:${http.address().port}/cometd`);
  client.publish('/news', 1);
  const [frame] = await frames;
  const seen = frame === '[]' ? frame : JSON.parse(frame).flat()[0].channel && 'a message';
  assert.equal(seen, expected);
  console.log(`ok: the first frame of faye ${version} is ${seen}`);
  server.close();
}

/** What a server does with such a frame. */
async function answer(url) {
  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open', patience());
  socket.send('[]');
  return Promise.race([
    once(socket, 'close', patience()).then(([code, reason]) => `closed with ${code} ${reason}`),
    sleep(2_000, 'stays open'),
  ]);
}
const http = createServer().listen(0, '127.0.0.1');
new faye.NodeAdapter({mount: '/cometd'}).attach(http);
await once(http, 'listening');
for (const [name, url, expected] of [
  ['CometD', java, 'closed with 1011 java.io.IOException: bayeux protocol violation'],
  ['Faye', `http://127.0.0.1:${http.address().port}/cometd`, 'stays open'],
]) {
  const seen = await answer(url);
  assert.equal(seen, expected);
  console.log(`ok: [] to the server of ${name}: ${seen}`);
}

// Through a link that counts the WebSockets that are asked for.
let opened = 0;
const link = createLink((client) => {
  const upstream = connect(Number(process.argv[2]), '127.0.0.1');
  client.on('data', (bytes) => (opened += `${bytes}`.startsWith('GET ')));
  client.pipe(upstream).pipe(client);
  for (const socket of [client, upstream]) socket.on('error', () => {});
}).listen(0, '127.0.0.1');
await once(link, 'listening');
const {default: old} = await import('faye-1.2');
for (const websocket of [false, true]) {
  const client = new old.Client(`http://127.0.0.1:${link.address().port}/cometd`, {retry: 0.2});
  if (!websocket) client.disable('websocket');
  const start = performance.now();
  await Promise.race([client.subscribe('/news', () => {}), sleep(5_000)]);
  await sleep(5_000 - (performance.now() - start));
  assert.equal(opened > 1, websocket, `${opened} WebSockets`);
  console.log(`ok: faye 1.2.5 and CometD, WebSocket ${websocket ? 'allowed' : 'disabled'}: ${opened} in 5 s`);
}
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 60 node probe.mjs "$port"
