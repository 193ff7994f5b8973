#!/usr/bin/env bash
# CometD's Java server 8.0.10 with its default JSON, Jetty 12.0.25's (Maven): data with a member named "class" fail
# the whole request.
#
# One would expect: a payload belongs to the application, so `{"class": "economy"}` is as good as any other.
# What happens: Jetty's JSON takes the member "class" for the name of a Java class. There is none of that name, so
# the request is refused with status 400 and no reply to any of its messages; what was in the same request is
# gone with it. `{"Class": …}` or `{"seat": {…}}` pass.
# For a Bayeux user: what works through other servers may not through Java's, and a node or bridge that passes messages
# on to a Java node in arrays loses the neighbours, too. Rename the member, or let the Java side use Jackson
# (`jsonContext`), which has no such meaning.
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
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';

/** A session of the server at a port, with a function that posts messages for it. */
async function open(port) {
  let cookie;
  const send = (body) => fetch(`http://127.0.0.1:${port}/cometd`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', ...(cookie && {cookie})},
    body,
  });
  const shaken = await send('[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]');
  cookie = shaken.headers.get('set-cookie')?.split(';')[0];
  const {clientId} = (await shaken.json())[0];
  return async (...messages) => {
    const texts = messages.map((message) =>
      typeof message === 'string' ? message : JSON.stringify(message),
    );
    const response = await send(`[${texts.map((text) => `{"clientId":"${clientId}",${text.slice(1)}`).join()}]`);
    return {status: response.status, text: await response.text()};
  };
}
const connect = '{"channel":"/meta/connect","connectionType":"long-polling","advice":{"timeout":0}}';

const post = await open(process.argv[2]);
await post({channel: '/meta/subscribe', subscription: '/seats'});
const arrived = async () => JSON.parse((await post(connect)).text).flatMap(({data}) => data ?? []);
const publish = async (...all) => {
  const {status, text} = await post(...all.map((data) => ({channel: '/seats', data})));
  const replied = status === 200 ? JSON.parse(text).flatMap(({data}) => data ?? []) : [];
  return {status, arrived: [...replied, ...(await arrived())]};
};
const good = await publish({row: 1}, {Class: 'economy'});
assert.deepEqual(good, {status: 200, arrived: [{row: 1}, {Class: 'economy'}]});
const bad = await publish({row: 2}, {class: 'economy'});
assert.deepEqual(bad, {status: 400, arrived: []});
console.log('ok: {"row": 1} and {"Class": "economy"}:', JSON.stringify(good));
console.log('ok: {"row": 2} and {"class": "economy"}:', JSON.stringify(bad));
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 40 node probe.mjs "$port"
