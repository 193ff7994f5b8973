package bayeux;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.JacksonJSONContextServer;
import org.cometd.server.ext.AcknowledgedMessagesExtension;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/**
 * CometD's server at {@code /cometd} as CometD's own load server sets it up: Jackson for JSON, 256 threads, a long
 * accept queue. What that one measures about itself is left out, since it costs time.
 *
 * <p>Options: {@code --timeout MS}, {@code --max-interval MS}, {@code --acks 1} for the acknowledgement extension.
 */
public final class Peer {
    public static void main(String[] args) throws Exception {
        var options = options(args);
        int timeout = options.getOrDefault("--timeout", 20_000);
        int maxInterval = options.getOrDefault("--max-interval", 50_000);

        var jetty = new Server(new QueuedThreadPool(256));
        var http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setSendDateHeader(false);
        var connector = new ServerConnector(jetty, 1, 1, new HttpConnectionFactory(http));
        connector.setHost("127.0.0.1");
        connector.setAcceptQueueSize(2_048);
        connector.setIdleTimeout(timeout + maxInterval);
        jetty.addConnector(connector);

        var context = new ServletContextHandler("/");
        jetty.setHandler(context);
        context.insertHandler(WebSocketUpgradeHandler.from(jetty, context));

        var bayeux = new BayeuxServerImpl();
        bayeux.setOption("timeout", timeout);
        bayeux.setOption("maxInterval", maxInterval);
        bayeux.setOption("jsonContext", JacksonJSONContextServer.class.getName());
        bayeux.setOption("maxSessionsPerBrowser", -1);
        bayeux.setOption(Context.class.getName(), context.getContext());
        bayeux.setOption("ws.cometdURLMapping", "/cometd");
        bayeux.setTransports(new JettyWebSocketTransport(bayeux), new JSONHttpTransport(bayeux));
        if (options.getOrDefault("--acks", 0) != 0) {
            bayeux.addExtension(new AcknowledgedMessagesExtension());
        }

        // The servlet takes the server that it finds, and does not start it.
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        var servlet = new ServletHolder(new CometDServlet());
        servlet.setAsyncSupported(true);
        servlet.setInitOrder(1);
        context.addServlet(servlet, "/cometd/*");
        context.addBean(bayeux);
        jetty.start();

        System.out.println("listening at http://127.0.0.1:" + connector.getLocalPort() + "/cometd");
        endWithStdin();
    }

    private static Map<String, Integer> options(String[] args) {
        if (args.length % 2 != 0) {
            throw new IllegalArgumentException("options are pairs: --name number");
        }
        var numbers = new HashMap<String, Integer>();
        for (int i = 0; i < args.length; i += 2) {
            numbers.put(args[i], Integer.valueOf(args[i + 1]));
        }
        return numbers;
    }

    /** Ends with whoever started it, even if that one was killed. */
    private static void endWithStdin() throws IOException {
        while (System.in.read() >= 0) {
            continue;
        }
        Runtime.getRuntime().halt(0);
    }
}
