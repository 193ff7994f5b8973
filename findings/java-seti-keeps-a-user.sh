#!/usr/bin/env bash
# CometD 7.0.17 for Java (Maven): a session has two users; the first is disassociated, and the second stays
# when the session has ended.
#
# One would expect: a user who is associated with a session is associated until the session ends, whatever becomes of the
# session's other users.
# What happens: without a disassociation both users go with the session. If the first of them was disassociated before, the
# second is still among `getAssociatedUserIds()` after the session, `isAssociated` and `isPresent` say that it is there, and
# `presenceRemoved` was called for the first alone. If the second was disassociated, all is well.
# For a Bayeux user: one user for each session; or disassociate them all by hand when a session ends.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-oort</artifactId><version>7.0.17</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>11.0.24</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }

cat >Probe.java <<'EOF'
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.oort.Oort;
import org.cometd.oort.Seti;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.http.JSONTransport;
import org.eclipse.jetty.client.HttpClient;

class Probe {
    private static Seti seti;
    private static BayeuxServerImpl bayeux;
    private static final List<String> removed = new CopyOnWriteArrayList<>();

    public static void main(String[] args) throws Exception {
        bayeux = new BayeuxServerImpl();
        bayeux.setTransports(new JSONTransport(bayeux));
        bayeux.start();
        var oort = new Oort(bayeux, "http://127.0.0.1:8080/cometd");
        var http = new HttpClient();
        http.start();
        oort.setClientTransportFactories(List.of(new JettyHttpClientTransport.Factory(http)));
        oort.start();
        seti = new Seti(oort);
        seti.start();
        seti.addPresenceListener(new Seti.PresenceListener() {
            @Override
            public void presenceRemoved(Event event) {
                removed.add(event.getUserId());
            }
        });

        System.out.println("nobody disassociated: " + after(null));
        System.out.println("first disassociated: " + after("first"));
        System.out.println("second disassociated: " + after("second"));
        System.exit(0);
    }

    /** Who is associated when a session of two users has ended, after one of them was disassociated. */
    private static Object after(String gone) {
        removed.clear();
        var session = bayeux.newLocalSession("session");
        session.handshake();
        for (var user : List.of("first", "second")) {
            seti.associate(user, session.getServerSession());
        }
        if (gone != null) {
            seti.disassociate(gone, session.getServerSession());
        }
        session.disconnect();
        var left = List.copyOf(seti.getAssociatedUserIds());
        var told = "stays " + left + ", told of " + removed.stream().sorted().toList();
        for (var user : left) {
            told += ", " + user + (seti.isAssociated(user) && seti.isPresent(user) ? " is there" : " is not there");
        }
        left.forEach(seti::disassociate);
        return told;
    }
}
EOF
timeout 60 java -cp 'lib/*' Probe.java | tee seen

expect() { grep -qxF "$1" seen || { echo "this has changed: $1" >&2; exit 1; }; }
expect 'nobody disassociated: stays [], told of [first, second]'
expect 'first disassociated: stays [second], told of [first], second is there'
expect 'second disassociated: stays [], told of [first, second]'
