#!/usr/bin/env bash
# CometD's Java server 8.0.10 (Maven), faye 1.4.3, cometd-nodejs-server 1.2.1 and cometd 9.0.0 (npm) differ in what is a
# channel name.
#
# One would expect: a name that one of them takes, such as `/room/v1.2`, `/user:42` or `/café`, the others take, too.
# What happens: the Node.js server takes everything. CometD's JavaScript library throws, and the Java server refuses,
# what is outside letters, digits and `-_.!~()$@+#{} ` (with space); so no colon, comma, percent or umlaut. Faye refuses
# also `.`, `+`, `#`, braces and space, which CometD's take; a Faye client cannot even ask for `/room/v1.2`.
# For a Bayeux user: names that work everywhere have ASCII letters, digits and `-_!~()$@` only. Write other characters
# in some form of these, and remember that names with a dot are invisible to Faye's clients.
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
npm install --silent --no-audit --no-fund cometd-nodejs-server@1.2.1 faye@1.4.3 cometd@9.0.0 cometd-nodejs-client@2.0.0
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {adapt} from 'cometd-nodejs-client';
import bayeux from 'cometd-nodejs-server';
import faye from 'faye';
adapt();
const {CometD} = await import('cometd');

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

const names = [...'-_!~()$@', ...'.+#{} ', ...`:,;=%&?'|^é`].map((character) => `/a${character}b`);
/** Those that may be subscribed to. */
async function allowed(port) {
  const post = await open(port);
  const {text} = await post(...names.map((subscription) => ({channel: '/meta/subscribe', subscription})));
  return names.filter((_name, n) => JSON.parse(text)[n].successful).map((name) => name[2]).join('');
}
async function listen(attach) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return http.address().port;
}

const server = bayeux.createCometDServer();
const port = await listen((http) => http.on('request', (request, response) => server.handle(request, response)));
const client = new CometD();
client.unregisterTransport('websocket');
client.configure({url: `http://127.0.0.1:${port}/cometd`, logLevel: 'warn'});
await new Promise((connected) => {
  client.addListener('/meta/connect', connected);
  client.handshake();
});
const asked = names.filter((name) => {
  try {
    return client.subscribe(name, () => {});
  } catch {
    return false;
  }
});
const everywhere = '-_!~()$@';
const seen = {
  'faye 1.4.3': [await allowed(await listen((http) => new faye.NodeAdapter({mount: '/cometd'}).attach(http))), everywhere],
  'CometD for Java 8.0.10': [await allowed(process.argv[2]), `${everywhere}.+#{} `],
  'cometd 9.0.0': [asked.map((name) => name[2]).join(''), `${everywhere}.+#{} `],
  'cometd-nodejs-server 1.2.1': [await allowed(port), `${everywhere}.+#{} :,;=%&?'|^é`],
};
for (const [name, [characters, expected]] of Object.entries(seen)) {
  assert.equal(characters, expected, name);
  console.log(`ok: ${name} takes letters, digits and "${characters}"`);
}
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 40 node probe.mjs "$port"
