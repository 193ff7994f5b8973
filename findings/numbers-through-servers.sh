#!/usr/bin/env bash
# CometD's Java server 8.0.10 with Jetty 12.0.25's JSON (Maven), cometd-nodejs-server 1.2.1, faye 1.4.3 (npm): what
# numbers become on their way through a server.
#
# One would expect: a broadcast is passed on as it was published, or at worst in double precision.
# What happens: each server reads and writes again. Node's round to doubles, and 1e400 becomes null. Jetty's JSON keeps
# 64-bit integers, but what is larger, fractions included, wraps around without an error: 2^64 + 5 becomes 5,
# 12345678901234567890 becomes negative, and 1e400 is written as Infinity, which is not JSON.
# For a Bayeux user: identifiers, amounts and times in nanoseconds belong into strings, whatever the server; over a
# cluster or bridge of mixed servers the outcome depends on the way that a message took.
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
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 faye@1.4.3
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import bayeux from 'cometd-nodejs-server';
import faye from 'faye';

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

const sent = ['9007199254740993', '12345678901234567890', '18446744073709551621', '12345678901234567890.5', '1e400'];
/** The numbers as the server passes them on. */
async function relayed(port) {
  const post = await open(port);
  await post({channel: '/meta/subscribe', subscription: '/n'});
  const {text} = await post(`{"channel":"/n","data":[${sent}]}`);
  const [, numbers] = /"data":\[([^\]]*)\]/.exec(text) ?? /"data":\[([^\]]*)\]/.exec((await post(connect)).text);
  return numbers.split(',');
}
async function served(attach) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return relayed(http.address().port);
}

const server = bayeux.createCometDServer();
const doubles = ['9007199254740992', '12345678901234567000', '18446744073709552000', '12345678901234567000', 'null'];
const seen = {
  'CometD for Java 8.0.10': [
    await relayed(process.argv[2]),
    ['9007199254740993', '-6101065172474983726', '5', '-6.1010651724749834E18', 'Infinity'],
  ],
  'cometd-nodejs-server 1.2.1': [
    await served((http) => http.on('request', (request, response) => server.handle(request, response))),
    doubles,
  ],
  'faye 1.4.3': [await served((http) => new faye.NodeAdapter({mount: '/cometd'}).attach(http)), doubles],
};
console.log('sent:', sent.join(' '));
for (const [name, [numbers, expected]] of Object.entries(seen)) {
  assert.deepEqual(numbers, expected, name);
  console.log(`ok: ${name}: ${numbers.join(' ')}`);
}
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 40 node probe.mjs "$port"
