package bayeux;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;

import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.LocalSession;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.oort.Oort;
import org.cometd.oort.Seti;
import org.cometd.server.AbstractService;

/**
 * Who is where. A client says who it is on {@code /service/login}, and that it is not any more on
 * {@code /service/logout}, as CometD's manual has it.
 */
public final class Users extends AbstractService {
    private final Seti seti;
    private LocalSession crowd;

    static Users begin(Oort oort) throws Exception {
        var seti = new Seti(oort);
        seti.addPresenceListener(new Seti.PresenceListener() {
            @Override
            public void presenceAdded(Event event) {
                tell("user-added", event);
            }

            @Override
            public void presenceRemoved(Event event) {
                tell("user-removed", event);
            }
        });
        seti.start();
        return new Users(oort.getBayeuxServer(), seti);
    }

    private Users(BayeuxServer bayeux, Seti seti) {
        super(bayeux, "users");
        this.seti = seti;
        addService("/service/login", "logIn");
        addService("/service/logout", "logOut");
    }

    public boolean logIn(ServerSession session, ServerMessage message) {
        return seti.associate((String) message.getData(), session);
    }

    public boolean logOut(ServerSession session, ServerMessage message) {
        return seti.disassociate((String) message.getData(), session);
    }

    private static void tell(String what, Seti.PresenceListener.Event event) {
        Lines.tell(what, "user", event.getUserId(), "node", event.getOortURL(), "own", event.isLocal());
    }

    /** How many sessions a user has here, and on how many other nodes it is beside. */
    Map<String, Object> where(String user) {
        var sessions = seti.getAssociationCount(user);
        var presences = seti.getPresenceCount(user);
        if (seti.isAssociated(user) != sessions > 0 || seti.isPresent(user) != presences > 0) {
            throw new IllegalStateException("it contradicts itself");
        }
        return Map.of("sessions", sessions, "nodes", presences - sessions);
    }

    Object present() {
        return new TreeSet<>(seti.getUserIds()).toArray();
    }

    Object associated() {
        return new TreeSet<>(seti.getAssociatedUserIds()).toArray();
    }

    void send(Map<String, Object> request) {
        var users = request.get("users");
        var several = users instanceof List<?> list ? list.toArray() : (Object[]) users;
        seti.sendMessage(List.of(several).stream().map(String.class::cast).toList(),
                (String) request.get("channel"), request.get("data"));
    }

    /** Has so many users come at once, who share a session. */
    void gather(String name, int count) {
        crowd = getBayeux().newLocalSession("crowd");
        crowd.handshake();
        for (var n = 0; n < count; n++) {
            seti.associate(name + n, crowd.getServerSession());
        }
    }

    /** Has them go, with their session. */
    void scatter() {
        crowd.disconnect();
    }

    void stop() throws Exception {
        seti.stop();
    }
}
