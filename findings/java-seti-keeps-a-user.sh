#!/usr/bin/env bash
# CometD 7.0.17 for Java (Maven): a session has two users; when one of them is disassociated, the other stays for ever.
#
# One would expect: a user who is associated with a session is associated until the session ends, whatever becomes of the
# session's other users; when it ends, the user is gone from Seti, and from all nodes.
# What happens: a session remembers one of its users, the last that was associated. Whoever of them is disassociated takes
# away the listener of that one, which would hear that the session ends. Then `isAssociated` and `isPresent` stay true, on
# this node and on all others, `presenceRemoved` is never called, and what is sent to the user goes into nothing, unheard.
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

import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.oort.Oort;
import org.cometd.oort.Seti;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.http.JSONTransport;
import org.eclipse.jetty.client.HttpClient;

class Probe {
    private static Seti seti;
    private static BayeuxServerImpl bayeux;

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

        System.out.println("nobody disassociated: " + after(null));
        System.out.println("first disassociated: " + after("first"));
        System.out.println("second disassociated: " + after("second"));
        System.exit(0);
    }

    /** Who is associated when a session of two users has ended, after one of them was disassociated. */
    private static Object after(String gone) {
        var session = bayeux.newLocalSession("session");
        session.handshake();
        for (var user : List.of("first", "second")) {
            seti.associate(user, session.getServerSession());
        }
        if (gone != null) {
            seti.disassociate(gone, session.getServerSession());
        }
        session.disconnect();
        var left = seti.getAssociatedUserIds();
        left.forEach(seti::disassociate);
        return left;
    }
}
EOF
java -cp 'lib/*' Probe.java | tee seen
grep -q '^nobody disassociated: \[\]$' seen
grep -q '^first disassociated: \[second\]$' seen
grep -q '^second disassociated: \[\]$' seen
