#!/usr/bin/env bash
# CometD's Java server 8.0.10 (Maven), faye 1.4.3, cometd-nodejs-server 1.2.1 (npm): an array of subscriptions of which
# one is refused.
#
# One would expect: the reply has one `successful` for the whole array, so all are subscribed or none.
# What happens: the Java and the Faye server go through the array, and stop at the refused one: what stands before it
# *is* subscribed, what stands behind is not, and the reply says `successful: false` with the whole array. Only
# the Node.js server looks at all before it subscribes to any.
# For a Bayeux user: after such a reply a client gets messages of channels that it takes for refused, and does not get
# those of others. Subscribe to each by a message of its own (they may share a request), or unsubscribe from all
# after a refusal.
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
import org.cometd.bayeux.server.Authorizer;
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
        bayeux.createChannelIfAbsent("/denied", channel -> {
            channel.setPersistent(true);
            channel.addAuthorizer((operation, id, session, message) -> Authorizer.Result.deny("closed"));
        });
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

/** The reply, and the channels of which messages arrive. */
async function outcome(port, denied) {
  const post = await open(port);
  const [{successful}] = JSON.parse((await post({channel: '/meta/subscribe', subscription: ['/before', denied, '/behind']})).text);
  const {text} = await post({channel: '/before', data: 1}, {channel: '/behind', data: 1});
  const messages = [...JSON.parse(text), ...JSON.parse((await post(connect)).text)];
  return {successful, arrived: messages.filter(({data}) => data).map(({channel}) => channel)};
}
async function served(attach, denied) {
  const http = createServer();
  attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return outcome(http.address().port, denied);
}

const server = bayeux.createCometDServer();
server.policy = {canSubscribe: (_session, _message, channel, answer) => answer(null, channel.name !== '/denied')};
const seen = {
  'CometD for Java 8.0.10': await outcome(process.argv[2], '/denied'),
  // It refuses service channels by itself.
  'faye 1.4.3': await served((http) => new faye.NodeAdapter({mount: '/cometd'}).attach(http), '/service/denied'),
  'cometd-nodejs-server 1.2.1': await served(
    (http) => http.on('request', (request, response) => server.handle(request, response)),
    '/denied',
  ),
};
const partly = {successful: false, arrived: ['/before']};
assert.deepEqual(Object.values(seen), [partly, partly, {successful: false, arrived: []}]);
for (const [name, value] of Object.entries(seen)) console.log(`ok: ${name}: ${JSON.stringify(value)}`);
process.exit();
EOF
mkfifo port
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' Server.java >port 2>server.log &
read -r -t 60 port <port || { cat server.log >&2; exit 1; }
timeout 40 node probe.mjs "$port"
