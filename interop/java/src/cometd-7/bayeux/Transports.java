package bayeux;

import java.util.Map;

import jakarta.websocket.ContainerProvider;
import jakarta.websocket.WebSocketContainer;
import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.transport.ClientTransport;
import org.cometd.client.websocket.javax.WebSocketTransport;
import org.eclipse.jetty.client.HttpClient;

/** The client's transports, as this version of CometD has them. */
final class Transports {
    // Both can be shared: each client has its own cookies and connections of its own sessions.
    private static final HttpClient HTTP = Wait.unchecked(() -> {
        var client = new HttpClient();
        client.start();
        return client;
    });
    private static final WebSocketContainer WEBSOCKET = ContainerProvider.getWebSocketContainer();

    static ClientTransport named(String name, Map<String, Object> options) {
        return switch (name) {
            case "websocket" -> new WebSocketTransport(options, null, WEBSOCKET);
            case "long-polling" -> new JettyHttpClientTransport(options, HTTP);
            default -> throw new IllegalArgumentException(name);
        };
    }
}
