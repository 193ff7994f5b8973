package bayeux;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;

import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.client.BayeuxClient;
import org.cometd.client.ext.AckExtension;

/** Drives the demo with CometD's Java client. Prints a line for each scenario, and fails if one failed. */
public final class ClientSuite {
    private static final int SCENARIO_SECONDS = 30;
    private static final int SUITE_SECONDS = 85;

    /** What a scenario has: a demo of its own, and the means to make clients of one transport. */
    private record Scene(Demo demo, String transport, List<Client> clients) {
        Client newClient() {
            var client = new Client(demo.url(), transport);
            clients.add(client);
            return client;
        }

        Client connect() throws Exception {
            return newClient().connect();
        }
    }

    private interface Scenario {
        void play(Scene scene) throws Exception;
    }

    private static Map<String, Scenario> scenarios() {
        var all = new LinkedHashMap<String, Scenario>();
        all.put("handshake and disconnect", ClientSuite::handshakeAndDisconnect);
        all.put("publish to a subscriber", ClientSuite::publish);
        all.put("unsubscribe", ClientSuite::unsubscribe);
        all.put("100 messages in order", ClientSuite::order);
        all.put("batch", ClientSuite::batch);
        all.put("wildcards", ClientSuite::wildcards);
        all.put("service", ClientSuite::service);
        all.put("remote call", ClientSuite::remoteCall);
        all.put("denied", ClientSuite::denied);
        all.put("several clients", ClientSuite::severalClients);
        all.put("held connect", ClientSuite::heldConnect);
        all.put("acknowledged messages", ClientSuite::acknowledged);
        all.put("acknowledged messages across a restart", ClientSuite::acknowledgedAcrossRestart);
        all.put("handshake after a restart", ClientSuite::handshakeAfterRestart);
        return all;
    }

    private static void handshakeAndDisconnect(Scene scene) throws Exception {
        var client = scene.connect();
        Wait.same("1.0", client.handshake().get(Message.VERSION_FIELD));
        Wait.same("retry", client.handshake().getAdvice().get(Message.RECONNECT_FIELD));
        var id = client.bayeux.getId();
        Wait.same(id, client.handshake().getClientId());

        var reply = Wait.reply("reply to disconnect", client.asking(done -> client.bayeux.disconnect(done)));
        Wait.holds("disconnected: " + reply, reply.isSuccessful());
        Wait.holds("state", client.bayeux.waitFor(5_000, BayeuxClient.State.DISCONNECTED));

        client.connect();
        Wait.holds("another session", !id.equals(client.bayeux.getId()));
    }

    private static void publish(Scene scene) throws Exception {
        var inbox = scene.connect().subscribe("/news");
        var data = Map.of("text", "Grüße 😀", "list", List.of(true, "x"));
        var reply = scene.connect().publish("/news", data);
        Wait.holds("published: " + reply, reply.isSuccessful());
        var message = Wait.next("message", inbox);
        Wait.same("/news", message.getChannel());
        Wait.same("Grüße 😀", message.getDataAsMap().get("text"));
        Wait.same(null, message.getClientId());
    }

    private static void unsubscribe(Scene scene) throws Exception {
        var client = scene.connect();
        var inbox = new LinkedBlockingQueue<Message>();
        ClientSessionChannel.MessageListener listener = (from, message) -> inbox.add(message);
        var channel = client.bayeux.getChannel("/fading");
        check(client.asking(done -> channel.subscribe(listener, done)), "subscribe");
        var end = client.subscribe("/end");
        client.publish("/fading", 1);
        Wait.next("message", inbox);
        check(client.asking(done -> channel.unsubscribe(listener, done)), "unsubscribe");
        client.publish("/fading", 2);
        client.publish("/end", 3);
        Wait.next("end", end);
        Wait.holds("nothing more: " + inbox, inbox.isEmpty());
    }

    private static void order(Scene scene) throws Exception {
        var inbox = scene.connect().subscribe("/many");
        publishNumbers(scene.connect(), "/many", 0, 100);
        Wait.same(range(0, 100), numbers(Wait.take(100, "numbers", inbox)));
        Wait.holds("nothing more: " + inbox, inbox.isEmpty());
    }

    private static void batch(Scene scene) throws Exception {
        var client = scene.connect();
        var inbox = new LinkedBlockingQueue<Message>();
        var replies = new ArrayList<CompletableFuture<Message>>();
        client.bayeux.batch(() -> {
            replies.add(client.subscribing("/batch", inbox));
            for (int n = 0; n < 10; n++) {
                replies.add(client.publishing("/batch", Client.numbered(n)));
            }
        });
        for (var reply : replies) {
            check(reply, "batch");
        }
        Wait.same(range(0, 10), numbers(Wait.take(10, "numbers", inbox)));
    }

    private static void wildcards(Scene scene) throws Exception {
        var subscriber = scene.connect();
        var shallow = subscriber.subscribe("/wild/*");
        var deep = subscriber.subscribe("/wild/**");
        var end = subscriber.subscribe("/end");
        var publisher = scene.connect();
        for (var channel : List.of("/wild/a", "/wild/a/b", "/tame/a", "/end")) {
            publisher.publish(channel, channel);
        }
        Wait.next("end", end);
        Wait.same(List.of("/wild/a"), shallow.stream().map(Message::getData).toList());
        Wait.same(List.of("/wild/a", "/wild/a/b"), deep.stream().map(Message::getData).toList());
    }

    private static void service(Scene scene) throws Exception {
        var client = scene.connect();
        var echo = new LinkedBlockingQueue<Message>();
        client.bayeux.addExtension(new ClientSession.Extension() {
            @Override
            public boolean rcv(ClientSession session, Message.Mutable message) {
                if (message.getChannel().equals("/service/echo") && message.getData() != null) {
                    echo.add(message);
                }
                return true;
            }
        });
        var reply = client.publish("/service/echo", Client.numbered(7));
        Wait.holds("published: " + reply, reply.isSuccessful());
        Wait.same(List.of(7), numbers(Wait.take(1, "echo", echo)));
    }

    private static void remoteCall(Scene scene) throws Exception {
        var client = scene.connect();
        var answer = client.remoteCall("rpc/echo", Map.of("question", "why"));
        Wait.holds("answered: " + answer, answer.isSuccessful());
        Wait.same("why", answer.getDataAsMap().get("question"));

        var failure = client.remoteCall("rpc/echo", Map.of("fail", Map.of("reason", "because")));
        Wait.holds("failed: " + failure, !failure.isSuccessful());
        Wait.same("because", failure.getDataAsMap().get("reason"));

        var calls = IntStream.range(0, 20)
                .mapToObj(n -> client.asking(done -> client.bayeux.remoteCall("rpc/echo", Client.numbered(n), done)))
                .toList();
        for (int n = 0; n < calls.size(); n++) {
            Wait.same(List.of(n), numbers(List.of(Wait.reply("call " + n, calls.get(n)))));
        }
    }

    private static void denied(Scene scene) throws Exception {
        var client = scene.connect();
        var inbox = new LinkedBlockingQueue<Message>();
        refused("403:denied_by_security_policy:create_denied", client.trySubscribe("/demo/denied", inbox));
        refused("403:denied_by_security_policy:channel_create_denied", client.publish("/demo/denied", "no"));
        refused("403:denied_by_not_granting:publish_denied", client.publish("/demo/readonly", "no"));
        refused("403:denied_by_security_policy:create_denied", client.trySubscribe("/meta/other", inbox));

        var allowed = client.subscribe("/demo/readonly");
        var end = client.subscribe("/end");
        client.publish("/end", "still here");
        Wait.next("message", end);
        Wait.holds("nothing was published: " + allowed, allowed.isEmpty());
    }

    private static void severalClients(Scene scene) throws Exception {
        var inboxes = new ArrayList<BlockingQueue<Message>>();
        for (int i = 0; i < 10; i++) {
            inboxes.add(scene.connect().subscribe("/all"));
        }
        Wait.same(10L, scene.clients().stream().map(client -> client.bayeux.getId()).distinct().count());
        publishNumbers(scene.clients().get(0), "/all", 0, 5);
        for (var inbox : inboxes) {
            Wait.same(range(0, 5), numbers(Wait.take(5, "numbers", inbox)));
        }
    }

    private static void heldConnect(Scene scene) throws Exception {
        scene.demo().restart("timeout=300");
        var client = scene.newClient();
        var connects = new LinkedBlockingQueue<Message>();
        client.listen(Channel.META_CONNECT, connects);
        client.connect();
        for (var connect : Wait.take(4, "connects", connects)) {
            Wait.holds("connected: " + connect, connect.isSuccessful());
        }
        Wait.holds("one session", client.handshakes.isEmpty());
    }

    private static void acknowledged(Scene scene) throws Exception {
        var subscriber = acknowledging(scene);
        var batches = new LinkedBlockingQueue<Message>();
        subscriber.listen(Channel.META_CONNECT, batches);
        var inbox = subscriber.subscribe("/sure");
        publishNumbers(scene.connect(), "/sure", 0, 50);
        Wait.same(range(0, 50), numbers(Wait.take(50, "numbers", inbox)));
        var connect = Wait.next("connect", batches);
        Wait.holds("numbered batch: " + connect, connect.getExt().get("ack") instanceof Number);
    }

    /** A killed server takes what was not delivered with it, but what comes is in order and comes once. */
    private static void acknowledgedAcrossRestart(Scene scene) throws Exception {
        var subscriber = acknowledging(scene);
        var inbox = new LinkedBlockingQueue<Message>();
        var publisher = scene.connect();
        check(subscriber.subscribing("/sure", inbox), "subscribe");
        var resubscribed = subscribeAgain(subscriber, "/sure", inbox);

        publishNumbers(publisher, "/sure", 0, 50);
        scene.demo().restart();
        check(resubscribed, "second subscribe");
        Wait.next("publisher's second handshake", publisher.handshakes);
        publisher.connected();
        publishNumbers(publisher, "/sure", 50, 100);

        var received = new ArrayList<Integer>();
        while (!received.contains(99)) {
            received.addAll(numbers(Wait.take(1, "a number after " + received, inbox)));
        }
        Wait.same(received.stream().sorted().distinct().toList(), received);
        Wait.same(range(50, 100), received.stream().filter(n -> n >= 50).toList());
    }

    private static void handshakeAfterRestart(Scene scene) throws Exception {
        var client = scene.connect();
        var old = client.bayeux.getId();
        var inbox = new LinkedBlockingQueue<Message>();
        check(client.subscribing("/after", inbox), "subscribe");
        var resubscribed = subscribeAgain(client, "/after", inbox);

        scene.demo().restart();
        check(resubscribed, "second subscribe");
        client.connected();
        Wait.holds("another session", !old.equals(client.bayeux.getId()));
        scene.connect().publish("/after", Client.numbered(1));
        Wait.same(List.of(1), numbers(Wait.take(1, "message", inbox)));
        Wait.holds("disconnected in time", client.bayeux.disconnect(5_000));
    }

    private static Client acknowledging(Scene scene) throws Exception {
        var client = scene.newClient();
        client.bayeux.addExtension(new AckExtension());
        client.connect();
        Wait.same(true, client.handshake().getExt().get("ack"));
        return client;
    }

    /** Subscribes at the next handshake, which forgets the subscriptions, and gives the reply to that. */
    private static CompletableFuture<Message> subscribeAgain(
            Client client, String channel, BlockingQueue<Message> inbox) {
        var again = new CompletableFuture<Message>();
        client.bayeux.getChannel(Channel.META_HANDSHAKE)
                .addListener((ClientSessionChannel.MessageListener) (from, message) -> {
                    if (message.isSuccessful()) {
                        client.subscribing(channel, inbox).thenAccept(again::complete);
                    }
                });
        return again;
    }

    private static void publishNumbers(Client client, String channel, int from, int to) throws Exception {
        for (int n = from; n < to; n++) {
            var reply = client.publish(channel, Client.numbered(n));
            Wait.holds("published: " + reply, reply.isSuccessful());
        }
    }

    private static void check(CompletableFuture<Message> future, String what) throws Exception {
        var reply = Wait.reply("reply to " + what, future);
        Wait.holds(what + ": " + reply, reply.isSuccessful());
    }

    private static void refused(String error, Message reply) {
        Wait.holds("refused: " + reply, !reply.isSuccessful());
        Wait.same(error, reply.get(Message.ERROR_FIELD));
    }

    private static List<Integer> numbers(List<Message> messages) {
        return messages.stream().map(message -> ((Number) message.getDataAsMap().get("n")).intValue()).toList();
    }

    private static List<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().toList();
    }

    /** Plays the scenarios whose names have the words of {@code args} in them; all without words. */
    public static void main(String[] args) {
        var words = String.join(" ", args);
        var scenes = Executors.newCachedThreadPool(task -> {
            var thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        });
        var late = System.nanoTime() + TimeUnit.SECONDS.toNanos(SUITE_SECONDS);
        var failed = 0;
        for (var transport : List.of("websocket", "long-polling")) {
            for (var entry : scenarios().entrySet()) {
                var name = entry.getKey() + ", over " + transport;
                if (!name.contains(words)) {
                    continue;
                }
                var patience = Math.min(TimeUnit.SECONDS.toNanos(SCENARIO_SECONDS), late - System.nanoTime());
                var playing = scenes.submit(() -> play(entry.getValue(), transport));
                String failure;
                try {
                    failure = playing.get(Math.max(patience, 0), TimeUnit.NANOSECONDS);
                } catch (TimeoutException tooLate) {
                    failure = "not done in time";
                } catch (Exception unexpected) {
                    failure = unexpected.toString();
                }
                System.out.println(failure == null ? "ok " + name : "not ok " + name + ": " + failure);
                failed += failure == null ? 0 : 1;
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    /** Plays a scenario with a demo of its own, and gives what failed, if anything. */
    private static String play(Scenario scenario, String transport) {
        var clients = new ArrayList<Client>();
        try (var demo = new Demo()) {
            try {
                scenario.play(new Scene(demo, transport, clients));
            } finally {
                clients.forEach(Client::close);
            }
            return null;
        } catch (Exception | AssertionError failure) {
            return failure.toString().replace('\n', ' ');
        }
    }
}
