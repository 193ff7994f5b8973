package bayeux;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

import org.cometd.bayeux.ChannelId;
import org.cometd.bayeux.Promise;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ConfigurableServerChannel;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.server.AbstractService;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.DefaultSecurityPolicy;
import org.cometd.server.authorizer.GrantAuthorizer;

/** CometD's server with the demo's command line and what the suites want of its channels. */
public final class JavaDemo {
    public static void main(String[] args) throws Exception {
        var bayeux = new BayeuxServerImpl();
        var port = 0;
        for (int i = 0; i < args.length; i += 2) {
            if (args[i].equals("--listen")) {
                port = Integer.parseInt(args[i + 1].replaceFirst(".*:", ""));
            } else {
                var option = args[i + 1].split("=", 2);
                bayeux.setOption(option[0], option[1]);
            }
        }
        bayeux.setSecurityPolicy(new DefaultSecurityPolicy() {
            @Override
            public boolean canCreate(BayeuxServer server, ServerSession session, String channel, ServerMessage message) {
                return !channel.equals("/demo/denied") && super.canCreate(server, session, channel, message);
            }
        });
        var jetty = JavaServer.serve(bayeux, port);
        offer(bayeux);
        new Services(bayeux);
        jetty.setStopAtShutdown(true);
        System.out.println("CometD on http://127.0.0.1:" + JavaServer.port(jetty) + "/");
    }

    private static void offer(BayeuxServer bayeux) {
        create(bayeux, "/demo/lazy", channel -> {
            channel.setLazy(true);
            channel.setLazyTimeout(1_000);
        });
        create(bayeux, "/demo/noecho", channel -> channel.setBroadcastToPublisher(false));
        create(bayeux, "/demo/readonly", channel -> channel.addAuthorizer(GrantAuthorizer.GRANT_SUBSCRIBE));
    }

    private static void create(BayeuxServer bayeux, String id, ConfigurableServerChannel.Initializer initializer) {
        bayeux.createChannelIfAbsent(id, initializer, channel -> channel.setPersistent(true));
    }

    /** The echoes, and the members of rooms. */
    public static final class Services extends AbstractService {
        private final Map<String, Map<ServerSession, String>> rooms = new ConcurrentHashMap<>();

        Services(BayeuxServer bayeux) {
            super(bayeux, "demo");
            addService("/service/echo", "echo");
            addService("/service/rpc/echo", "call");
            addService("/service/members", "join");
        }

        public Object echo(ServerSession session, ServerMessage message) {
            return message.getData();
        }

        public void call(ServerSession session, ServerMessage message) {
            var failure = message.getData() instanceof Map<?, ?> data ? data.get("fail") : null;
            var reply = getBayeux().newMessage();
            reply.setId(message.getId());
            reply.setChannel(message.getChannel());
            reply.setSuccessful(failure == null);
            reply.setData(failure == null ? message.getData() : failure);
            session.deliver(getServerSession(), reply, Promise.noop());
        }

        public void join(ServerSession session, ServerMessage message) {
            var wish = message.getDataAsMap();
            var room = new ChannelId((String) wish.get("room")).getSegment(1);
            var members = rooms.computeIfAbsent(room, name -> new ConcurrentHashMap<>());
            members.put(session, (String) wish.get("user"));
            session.addListener((ServerSession.RemovedListener) (gone, last, timeout) -> {
                members.remove(gone);
                publish(room, members);
            });
            publish(room, members);
        }

        private void publish(String room, Map<ServerSession, String> members) {
            var channel = getBayeux().getChannel("/members/" + room);
            if (channel != null) {
                channel.publish(getServerSession(), List.copyOf(new TreeSet<>(members.values())), Promise.noop());
            }
        }
    }
}
