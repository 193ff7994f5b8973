package bayeux;

import java.util.Map;

import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.oort.Oort;
import org.cometd.server.DefaultSecurityPolicy;

/** Lets everybody in but those that say that they are nodes and do not know the secret. */
final class SecretPolicy extends DefaultSecurityPolicy {
    private final Oort oort;

    SecretPolicy(Oort oort) {
        this.oort = oort;
    }

    @Override
    public boolean canHandshake(BayeuxServer server, ServerSession session, ServerMessage message) {
        if (session.isLocalSession() || oort.isOortHandshake(message)) {
            return true;
        }
        Map<String, Object> ext = message.getExt();
        return ext == null || !ext.containsKey(Oort.EXT_OORT_FIELD);
    }
}
