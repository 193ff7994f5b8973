package bayeux;

import java.io.IOException;
import java.util.Map;

import org.cometd.bayeux.Promise;
import org.cometd.bayeux.server.Authorizer;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ServerChannel;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.ext.AcknowledgedMessagesExtension;
import org.cometd.server.ext.TimesyncExtension;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.JSONPHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/** CometD's server at {@code /cometd}, with the services that every server of {@code interop/servers} has. */
public final class JavaServer {
    public static void main(String[] args) throws Exception {
        var options = new Options(args);
        var bayeux = new BayeuxServerImpl();
        bayeux.setOption("timeout", options.number("timeout", 2_000));
        bayeux.setOption("maxInterval", options.number("max-interval", 5_000));
        // All clients of one test program may share a cookie jar, and so look like the tabs of one browser.
        bayeux.setOption("maxSessionsPerBrowser", -1);
        offer(bayeux);
        var jetty = serve(bayeux, options.number("port", 0));

        System.out.println("LISTENING " + port(jetty));
        endWithStdin();
    }

    /** Serves {@code bayeux} at {@code /cometd}. */
    static Server serve(BayeuxServerImpl bayeux, int port) throws Exception {
        var jetty = new Server();
        var connector = new ServerConnector(jetty, 1, 1);
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        jetty.addConnector(connector);

        var context = new ServletContextHandler("/");
        jetty.setHandler(context);
        context.insertHandler(WebSocketUpgradeHandler.from(jetty, context));

        bayeux.setOption(Context.class.getName(), context.getContext());
        bayeux.setOption("ws.cometdURLMapping", "/cometd/*");
        bayeux.setTransports(
                new JettyWebSocketTransport(bayeux), new JSONHttpTransport(bayeux), new JSONPHttpTransport(bayeux));
        bayeux.addExtension(new AcknowledgedMessagesExtension());
        bayeux.addExtension(new TimesyncExtension());

        // The servlet takes the server that it finds, and does not start it. The WebSocket transport wants a
        // context that is being started, and no request may come before it has one.
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        var servlet = new ServletHolder(new CometDServlet());
        servlet.setAsyncSupported(true);
        servlet.setInitOrder(1);
        context.addServlet(servlet, "/cometd/*");
        context.addBean(bayeux);
        jetty.start();
        return jetty;
    }

    static int port(Server jetty) {
        return ((ServerConnector) jetty.getConnectors()[0]).getLocalPort();
    }

    private static void offer(BayeuxServer bayeux) {
        // The service and the remote call of one name share a channel. An answer that has the request's id,
        // as CometD's own remote calls make it, is both.
        service(bayeux, "/service/echo", (session, message) ->
                answer(bayeux, session, message, true, message.getData()));
        service(bayeux, "/service/fail", (session, message) -> answer(bayeux, session, message, false, "failed"));
        service(bayeux, "/service/many", (session, message) -> {
            var wish = message.getDataAsMap();
            var channel = (String) wish.get("channel");
            var count = ((Number) wish.get("count")).intValue();
            for (int i = 0; i < count; i++) {
                session.deliver(null, channel, Map.of("n", i), Promise.noop());
            }
        });
        bayeux.createChannelIfAbsent("/denied", channel -> {
            channel.setPersistent(true);
            channel.addAuthorizer((operation, id, session, message) -> Authorizer.Result.deny("closed"));
        });
    }

    private interface Service {
        void handle(ServerSession session, ServerMessage message);
    }

    private static void service(BayeuxServer bayeux, String id, Service service) {
        bayeux.createChannelIfAbsent(id, channel -> {
            channel.setPersistent(true);
            channel.addListener(new ServerChannel.MessageListener() {
                @Override
                public boolean onMessage(ServerSession from, ServerChannel to, ServerMessage.Mutable message) {
                    service.handle(from, message);
                    return true;
                }
            });
        });
    }

    private static void answer(
            BayeuxServer bayeux, ServerSession session, ServerMessage request, boolean successful, Object data) {
        var reply = bayeux.newMessage();
        reply.setId(request.getId());
        reply.setChannel(request.getChannel());
        reply.setSuccessful(successful);
        reply.setData(data);
        session.deliver(null, reply, Promise.noop());
    }

    /** Ends with whoever started it, even if that one was killed. */
    private static void endWithStdin() throws IOException {
        while (System.in.read() >= 0) {
            continue;
        }
        Runtime.getRuntime().halt(0);
    }
}
