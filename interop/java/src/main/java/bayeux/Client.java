package bayeux;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

import jakarta.websocket.ContainerProvider;
import jakarta.websocket.WebSocketContainer;
import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.client.BayeuxClient;
import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.transport.ClientTransport;
import org.cometd.client.websocket.jakarta.WebSocketTransport;
import org.eclipse.jetty.client.HttpClient;

/** CometD's client, held to one transport, with replies and messages that can be waited for. */
final class Client implements AutoCloseable {
    // Both can be shared: each client has its own cookies and connections of its own sessions.
    private static final HttpClient HTTP = Wait.unchecked(() -> {
        var client = new HttpClient();
        client.start();
        return client;
    });
    private static final WebSocketContainer WEBSOCKET = ContainerProvider.getWebSocketContainer();

    final BayeuxClient bayeux;
    /** The handshake replies, those of later handshakes, too. */
    final BlockingQueue<Message> handshakes = new LinkedBlockingQueue<>();
    private Message handshake;

    Client(String url, String transport) {
        bayeux = new BayeuxClient(url, transport(transport));
        bayeux.setOption(BayeuxClient.BACKOFF_INCREMENT_OPTION, 100);
        listen(Channel.META_HANDSHAKE, handshakes);
    }

    private static ClientTransport transport(String name) {
        var options = new HashMap<String, Object>();
        options.put(ClientTransport.MAX_NETWORK_DELAY_OPTION, 5_000L);
        return switch (name) {
            case "websocket" -> new WebSocketTransport(options, null, WEBSOCKET);
            case "long-polling" -> new JettyHttpClientTransport(options, HTTP);
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** Handshakes and waits for the first answered connect. */
    Client connect() throws Exception {
        bayeux.handshake();
        handshake = Wait.next("handshake reply", handshakes);
        Wait.holds("handshake accepted: " + handshake, handshake.isSuccessful());
        connected();
        return this;
    }

    void connected() {
        Wait.holds("connected", bayeux.waitFor(10_000, BayeuxClient.State.CONNECTED));
    }

    /** The reply to the handshake of {@link #connect}. */
    Message handshake() {
        return handshake;
    }

    void listen(String channel, BlockingQueue<Message> inbox) {
        bayeux.getChannel(channel)
                .addListener((ClientSessionChannel.MessageListener) (from, message) -> inbox.add(message));
    }

    /** Subscribes, after every later handshake, too, and gives the messages. */
    BlockingQueue<Message> subscribe(String channel) throws Exception {
        var inbox = new LinkedBlockingQueue<Message>();
        var reply = trySubscribe(channel, inbox);
        Wait.holds("subscribed: " + reply, reply.isSuccessful());
        return inbox;
    }

    /** Subscribes and gives the reply, good or bad. */
    Message trySubscribe(String channel, BlockingQueue<Message> inbox) throws Exception {
        return Wait.reply("reply to subscribe to " + channel, subscribing(channel, inbox));
    }

    /** Subscribes; the reply comes. */
    CompletableFuture<Message> subscribing(String channel, BlockingQueue<Message> inbox) {
        var reply = new CompletableFuture<Message>();
        bayeux.getChannel(channel).subscribe((from, message) -> inbox.add(message), reply::complete);
        return reply;
    }

    Message publish(String channel, Object data) throws Exception {
        return Wait.reply("reply to publish to " + channel, publishing(channel, data));
    }

    CompletableFuture<Message> publishing(String channel, Object data) {
        return asking(done -> bayeux.getChannel(channel).publish(data, done));
    }

    Message remoteCall(String target, Object data) throws Exception {
        return Wait.reply("answer of " + target, asking(done -> bayeux.remoteCall(target, data, done)));
    }

    CompletableFuture<Message> asking(Consumer<ClientSession.MessageListener> ask) {
        var reply = new CompletableFuture<Message>();
        ask.accept(reply::complete);
        return reply;
    }

    @Override
    public void close() {
        bayeux.abort();
    }

    static Map<String, Object> numbered(int n) {
        return Map.of("n", n);
    }
}
