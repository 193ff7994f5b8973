#!/usr/bin/env bash
# CometD's Java server 8.0.10 (Maven) with cometd 9.0.0 (npm): a slash at the end of a channel is the same channel for
# the server, and another one for the library.
#
# One would expect: `/room/` is refused, or is `/room`, on both sides.
# What happens: the server subscribes `/room/` to the channel `/room`, and says so with the name it was asked by; what is
# published to `/room` comes under that name. The library compares names, so its listener on `/room/` is not called,
# though the message did arrive. And what somebody publishes to `/room/` is delivered under that name to all who
# subscribed to `/room`, whose listeners are not called either.
# For a Bayeux user: take slashes from the ends of names before they reach the library; a URL's path will not do as a
# channel. In a page's own code nothing tells, except an extension that sees each incoming message.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>>"$tmp/log" || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-http-jakarta</artifactId><version>8.0.10</version></dependency>
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
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

class Probe {
    public static void main(String[] args) throws Exception {
        var jetty = new Server();
        var connector = new ServerConnector(jetty, 1, 1);
        connector.setHost("127.0.0.1");
        jetty.addConnector(connector);
        var context = new ServletContextHandler("/");
        jetty.setHandler(context);
        var bayeux = new BayeuxServerImpl();
        bayeux.setTransports(new JSONHttpTransport(bayeux));
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
npm install --silent --no-audit --no-fund cometd@9.0.0 cometd-nodejs-client@2.0.0
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {adapt} from 'cometd-nodejs-client';
adapt();
const {CometD} = await import('cometd');

const client = new CometD();
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${process.argv[2]}/cometd`, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});
const arrived = [];
client.registerExtension('watch', {
  incoming(message) {
    if (message.data) arrived.push(`${message.channel}: ${message.data}`);
  },
});
/** What arrives, and what a listener to `subscribed` hears, when something is published to `published`. */
async function outcome(subscribed, published) {
  const heard = [];
  arrived.length = 0;
  let subscription;
  const reply = await new Promise((done) => {
    subscription = client.subscribe(subscribed, ({data}) => heard.push(data), done);
  });
  assert.equal(reply.successful, true);
  await new Promise((done) => client.publish(published, 'hello', done));
  await new Promise((done) => client.unsubscribe(subscription, done));
  return {arrived: [...arrived], heard};
}
for (const [subscribed, published] of [['/room/', '/room'], ['/hall', '/hall/']]) {
  const seen = await outcome(subscribed, published);
  assert.deepEqual(seen, {arrived: [`${published}: hello`], heard: []});
  console.log(`ok: subscribed to ${subscribed}, published to ${published}:`, JSON.stringify(seen));
}
assert.deepEqual(await outcome('/attic', '/attic'), {arrived: ['/attic: hello'], heard: ['hello']});
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 40 node probe.mjs "$port"
