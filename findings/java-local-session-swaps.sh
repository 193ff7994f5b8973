#!/usr/bin/env bash
# CometD 8.0.10 for Java (Maven): a local session that two threads publish to gets messages of one of them out of order.
#
# One would expect: a subscriber gets the messages of one publisher in the order in which they were published, as remote
# ones do.
# What happens: each publisher's thread takes what waits for the local session, its own messages or others', and calls the
# listeners itself. One that holds A's first message while A publishes its second is overtaken by A's own thread, which
# calls the listener with the second meanwhile: also a listener is called by several threads at once.
# For a Bayeux user: services and `OortComet`s of one server are such threads. A listener of a local session that wants
# order has to find it in the data, and has to be safe for several threads. Rare by itself: one in some ten thousand.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>0</version>
  <dependencies>
    <dependency><groupId>org.cometd.java</groupId><artifactId>cometd-java-server-http-jakarta</artifactId><version>8.0.10</version></dependency>
    <dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-util-ajax</artifactId><version>12.0.25</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib >>log 2>&1 || { cat log >&2; exit 1; }

cat >Probe.java <<'EOF'
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.http.JSONHttpTransport;

class Probe {
    /** The last message of each publisher that the listener has been through with. */
    private static final long[] LAST = new long[2];
    private static volatile boolean isOver;

    public static void main(String[] args) throws Exception {
        var bayeux = new BayeuxServerImpl();
        bayeux.setTransports(new JSONHttpTransport(bayeux));
        bayeux.start();
        bayeux.createChannelIfAbsent("/a", channel -> channel.setPersistent(true));
        var subscriber = bayeux.newLocalSession("subscriber");
        subscriber.handshake();
        subscriber.getChannel("/a").subscribe((channel, message) -> {
            var data = (long[]) message.getData();
            hear((int) data[0], data[1]);
        });
        var publishers = new Thread[2];
        for (var who = 0; who < 2; who++) {
            var own = who;
            publishers[who] = new Thread(() -> {
                var session = bayeux.newLocalSession("publisher");
                session.handshake();
                for (var n = 1L; !isOver; n++) {
                    session.getChannel("/a").publish(new long[] {own, n});
                }
            }, "publisher " + who);
            publishers[who].start();
        }
        publishers[0].join(60_000);
        System.out.println(isOver ? "the order of one publisher is lost" : "in order");
        System.exit(0);
    }

    private static void hear(int who, long n) {
        synchronized (LAST) {
            // Another publisher's thread brings it. A listener may take its time.
            var isOthers = !Thread.currentThread().getName().equals("publisher " + who);
            var until = System.nanoTime() + 200_000_000L;
            while (isOthers && !isOver && LAST[who] < n && System.nanoTime() < until) {
                try {
                    LAST.wait(10);
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
            if (LAST[who] > n && !isOver) {
                System.out.println("after message " + LAST[who] + " of publisher " + who + " came " + n);
                isOver = true;
            }
            LAST[who] = Math.max(LAST[who], n);
            LAST.notifyAll();
        }
    }
}
EOF
java -cp 'lib/*' Probe.java | tee seen
grep -q 'the order of one publisher is lost' seen
