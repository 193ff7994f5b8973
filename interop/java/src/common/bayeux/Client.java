package bayeux;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.client.BayeuxClient;
import org.cometd.client.transport.ClientTransport;

/** CometD's client, held to one transport, with replies and messages that can be waited for. */
final class Client implements AutoCloseable {
    final BayeuxClient bayeux;
    /** The handshake replies, those of later handshakes, too. */
    final BlockingQueue<Message> handshakes = new LinkedBlockingQueue<>();
    private Message handshake;

    Client(String url, String transport) {
        var options = new HashMap<String, Object>();
        options.put(ClientTransport.MAX_NETWORK_DELAY_OPTION, 5_000L);
        bayeux = new BayeuxClient(url, Transports.named(transport, options));
        bayeux.setOption(BayeuxClient.BACKOFF_INCREMENT_OPTION, 100);
        listen(Channel.META_HANDSHAKE, handshakes);
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
        // Version 4 has two kinds of callbacks here.
        ClientSession.MessageListener callback = reply::complete;
        bayeux.getChannel(channel).subscribe((from, message) -> inbox.add(message), callback);
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
