package bayeux;

import java.util.HashMap;
import java.util.Map;

import jakarta.servlet.ServletContext;
import jakarta.servlet.http.HttpServlet;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.oort.Oort;
import org.cometd.oort.OortConfigServlet;
import org.cometd.oort.OortMulticastConfigServlet;
import org.cometd.oort.OortStaticConfigServlet;
import org.cometd.server.CometDServlet;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;
import org.eclipse.jetty.websocket.jakarta.server.config.JakartaWebSocketServletContainerInitializer;

/**
 * A node of CometD's Oort, with the objects that every node of the suites has, made of CometD's own servlets.
 * It is steered by {@link Lines}; what can be asked is in {@link Steering}.
 */
public final class OortNode {
    private final Map<String, String> options = new HashMap<>();

    public static void main(String[] args) throws Exception {
        var node = new OortNode();
        if (args.length % 2 != 0) {
            throw new IllegalArgumentException("options are pairs: --name value");
        }
        for (var i = 0; i < args.length; i += 2) {
            node.options.put(args[i].replaceFirst("^--", ""), args[i + 1]);
        }
        node.run();
    }

    private void run() throws Exception {
        var jetty = new Server();
        var connector = new ServerConnector(jetty, 1, 1);
        var host = option("host", "127.0.0.1");
        connector.setHost(host);
        connector.setPort(Integer.parseInt(option("port", "0")));
        jetty.addConnector(connector);
        // The node says its own address, so that it must have it before it starts.
        connector.open();
        var url = option("url", "http://" + host + ":" + connector.getLocalPort() + "/cometd");

        var context = new ServletContextHandler(jetty, "/");
        JakartaWebSocketServletContainerInitializer.configure(context, null);
        context.addServlet(cometd(), "/cometd/*");
        context.addServlet(oort(url), "/oort");
        // What the node has is there before it serves, and so before it knows of any other node.
        var steering = new Steering();
        var last = new ServletHolder(new HttpServlet() {
            @Override
            public void init() {
                begin(getServletContext(), steering);
            }
        });
        last.setInitOrder(3);
        context.addServlet(last, "/steering");
        jetty.start();

        Lines.tell("listening", "url", url, "comet", steering.oort().getId());
        Lines.handle(steering::handle);
        // It ends with whoever started it, even if that one was killed.
        Runtime.getRuntime().halt(0);
    }

    private ServletHolder cometd() {
        var holder = new ServletHolder(new CometDServlet());
        holder.setInitOrder(1);
        holder.setAsyncSupported(true);
        holder.setInitParameter("timeout", option("timeout", "10000"));
        holder.setInitParameter("maxInterval", option("max-interval", "10000"));
        holder.setInitParameter("ws.cometdURLMapping", "/cometd/*");
        holder.setInitParameter("maxSessionsPerBrowser", "-1");
        if (longPolling()) {
            holder.setInitParameter("transports", "org.cometd.server.http.AsyncJSONTransport");
        }
        return holder;
    }

    private ServletHolder oort(String url) {
        OortConfigServlet servlet;
        var multicast = options.get("multicast");
        if (multicast != null) {
            servlet = new OortMulticastConfigServlet();
        } else {
            servlet = new OortStaticConfigServlet();
        }
        var holder = new ServletHolder(servlet);
        holder.setInitOrder(2);
        holder.setInitParameter("oort.url", url);
        set(holder, "oort.secret", options.get("secret"));
        set(holder, "oort.cloud", options.get("cloud"));
        set(holder, "oort.channels", option("channels", "/chat"));
        set(holder, "enableAckExtension", options.get("ack"));
        if (longPolling()) {
            set(holder, "clientTransportFactories", "org.cometd.client.http.jetty.JettyHttpClientTransport$Factory");
        }
        if (multicast != null) {
            var colon = multicast.lastIndexOf(':');
            set(holder, "oort.multicast.groupAddress", multicast.substring(0, colon));
            set(holder, "oort.multicast.groupPort", multicast.substring(colon + 1));
            set(holder, "oort.multicast.groupInterfaces", options.get("interface"));
            set(holder, "oort.multicast.advertiseInterval", options.get("advertise"));
        }
        return holder;
    }

    private void begin(ServletContext context, Steering steering) {
        var bayeux = (BayeuxServer) context.getAttribute(BayeuxServer.ATTRIBUTE);
        var oort = (Oort) context.getAttribute(Oort.OORT_ATTRIBUTE);
        // Without a secret of their own, nodes are as open to each other as CometD's are by default.
        if (options.containsKey("secret")) {
            bayeux.setSecurityPolicy(new SecretPolicy(oort));
        }
        steering.begin(oort, Boolean.parseBoolean(option("primary", "false")));
    }

    private boolean longPolling() {
        return option("transports", "").equals("long-polling");
    }

    private String option(String name, String otherwise) {
        return options.getOrDefault(name, otherwise);
    }

    private static void set(ServletHolder holder, String name, String value) {
        if (value != null) {
            holder.setInitParameter(name, value);
        }
    }
}
