#!/usr/bin/env bash
# CometD's Java server 8.0.10 (Maven) over WebSocket with cometd 9.0.0 (npm): what a session published itself may come
# back to it out of order.
#
# One would expect: a session that publishes 0, 1, 2, ... to a channel that it is subscribed to hears them in that
# order, as any other subscriber does.
# What happens: now and then, mostly while the server is young, some messages of a batch are overtaken by those of the
# next ones. All arrive, each once. Another session that is subscribed to the same channel hears the same messages
# in order.
# For a Bayeux user: a page that draws its own messages when they come back, as a chat does, may show them in another
# order than everybody else. Number them, or publish one batch after the reply to the one before.
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
    <dependency><groupId>org.eclipse.jetty.websocket</groupId><artifactId>jetty-websocket-jetty-server</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }
cat >Server.java <<'EOF'
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.server.BayeuxServerImpl;
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
        bayeux.setOption("ws.cometdURLMapping", "/cometd/*");
        bayeux.setTransports(new JettyWebSocketTransport(bayeux));
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        var servlet = new ServletHolder(new CometDServlet());
        servlet.setAsyncSupported(true);
        servlet.setInitOrder(1);
        context.addServlet(servlet, "/cometd/*");
        context.addBean(bayeux);
        jetty.start();
        System.out.println(connector.getLocalPort());
        Thread.sleep(100_000);
        System.exit(0);
    }
}
EOF
npm install --silent --no-audit --no-fund cometd@9.0.0 cometd-nodejs-client@2.0.0
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {adapt} from 'cometd-nodejs-client';
adapt();
const {CometD} = await import('cometd');

const MESSAGES = 1000;
const SWAPS = 3;
const url = `http://127.0.0.1:${process.argv[2]}/cometd`;

/** A connected client that is subscribed to `channel`, and the messages that it will have heard. */
async function subscribed(channel) {
  const client = new CometD();
  client.unregisterTransport('long-polling');
  client.configure({url, logLevel: 'warn'});
  await new Promise((done) => client.handshake(done));
  const heard = [];
  let all;
  // Once in a while this Jetty reads nothing more from a WebSocket; such a round says nothing of the order.
  const complete = new Promise((done) => (all = done) && setTimeout(done, 8_000));
  await new Promise((done) => {
    client.subscribe(channel, ({data}) => heard.push(data) === MESSAGES && all(heard), done);
  });
  return {client, complete};
}
const isInOrder = (heard) => heard.every((data, n) => data === n);

let rounds = 0;
let swaps = 0;
while (swaps < SWAPS) {
  const channel = `/room/${++rounds}`;
  const [publisher, other] = await Promise.all([subscribed(channel), subscribed(channel)]);
  for (let start = 0; start < MESSAGES; start += 50) {
    publisher.client.batch(() => {
      for (let n = start; n < start + 50; n++) publisher.client.publish(channel, n);
    });
  }
  const [own, others] = await Promise.all([publisher.complete, other.complete]);
  if (!own || !others) continue;
  assert(isInOrder(others));
  assert.equal(new Set(own).size, MESSAGES);
  if (!isInOrder(own)) {
    swaps++;
    const at = own.findIndex((data, n) => data !== n);
    console.log(`ok: round ${rounds}: where ${at} was due, the publisher heard ${own[at]}; another session heard all in order`);
  }
  [publisher, other].forEach(({client}) => client.disconnect());
}
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 90 node probe.mjs "$port"
