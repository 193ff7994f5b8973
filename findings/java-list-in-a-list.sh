#!/usr/bin/env bash
# CometD for Java 8.0.10 with Jetty 12.0.25 (Maven), server and client: over long-polling a list that holds a list is an
# error, over WebSocket it arrives.
#
# One would expect: `[[8.5, 47.3], [8.6, 47.4]]`, a line on a map, is data like any other, over both transports.
# What happens: HTTP content is parsed by Jetty's AsyncJSON, which throws a ClassCastException at a list in a list that is in
# an object, as all data of a message are; WebSocket frames are parsed by Jetty's JSON, which does not. The server
# refuses the request with 400, whatever other messages are in it. The client drops the response in which such a
# message comes, with all messages in it, and tells of a failed connect; the server believes that they arrived.
# (jetty-util-ajax 9.4.33, 11.0.21 and 12.1.2 throw, too.)
# For a Bayeux user: no lists of lists for Java's server or clients over long-polling, whatever the server; wrap the inner
# ones in objects.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-http-jakarta</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-websocket-jetty</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-client-http-jetty</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-client-websocket-jakarta</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.eclipse.jetty.ee10.websocket</groupId><artifactId>jetty-ee10-websocket-jakarta-client</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.eclipse.jetty.ee10</groupId><artifactId>jetty-ee10-servlet</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }

cat >Probe.java <<'EOF'
import jakarta.websocket.ContainerProvider;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.client.BayeuxClient;
import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.websocket.jakarta.WebSocketTransport;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

class Probe {
    static final Object LINE = List.of(List.of(8.5, 47.3), List.of(8.6, 47.4));
    static int port;

    public static void main(String[] args) throws Exception {
        serve();
        expect("websocket", "websocket", LINE, "published, received");
        expect("long-polling", "long-polling", List.of(8.5, 47.3), "published, received");
        expect("long-polling", "websocket", LINE, "refused with 400");
        expect("websocket", "long-polling", LINE, "published, lost: ClassCastException");
        System.exit(0);
    }

    /** Publishes over one transport for a subscriber over another, and compares what comes of it. */
    static void expect(String from, String to, Object data, String expected) throws Exception {
        var publisher = client(from);
        var subscriber = client(to);
        var events = new LinkedBlockingQueue<String>();
        subscriber.getChannel("/meta/connect").addListener((ClientSessionChannel.MessageListener) (channel, message) -> {
            if (!message.isSuccessful()) {
                events.add("lost: " + root(((Map<?, ?>) message.get("failure")).get("exception")));
            }
        });
        var subscribed = new CompletableFuture<Message>();
        ClientSession.MessageListener reply = subscribed::complete;
        subscriber.getChannel("/map").subscribe((channel, message) -> events.add("received"), reply);
        subscribed.get(10, TimeUnit.SECONDS);
        var published = new CompletableFuture<Message>();
        ClientSession.MessageListener done = published::complete;
        publisher.getChannel("/map").publish(data, done);
        var outcome = published.get(10, TimeUnit.SECONDS);
        String seen;
        if (outcome.isSuccessful()) {
            seen = "published, " + events.poll(10, TimeUnit.SECONDS);
        } else {
            seen = "refused with " + ((Map<?, ?>) outcome.get("failure")).get("httpCode");
        }
        var way = data + " from " + from + " to " + to + ": " + seen;
        if (!seen.equals(expected)) {
            throw new AssertionError(way);
        }
        System.out.println("ok: " + way);
        publisher.disconnect(5_000);
        subscriber.abort();
    }

    static String root(Object exception) {
        var cause = (Throwable) exception;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause.getClass().getSimpleName();
    }

    static BayeuxClient client(String transport) throws Exception {
        var http = new HttpClient();
        http.start();
        Map<String, Object> options = new HashMap<>();
        var client = new BayeuxClient("http://127.0.0.1:" + port + "/cometd", transport.equals("websocket")
                ? new WebSocketTransport(options, null, ContainerProvider.getWebSocketContainer())
                : new JettyHttpClientTransport(options, http));
        client.handshake();
        if (!client.waitFor(10_000, BayeuxClient.State.CONNECTED)) {
            throw new AssertionError("not connected");
        }
        return client;
    }

    static void serve() throws Exception {
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
        port = connector.getLocalPort();
    }
}
EOF
timeout 100 java -XX:TieredStopAtLevel=1 -cp 'lib/*' Probe.java
