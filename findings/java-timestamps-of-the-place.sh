#!/usr/bin/env bash
# CometD's Java server 8.0.10 (Maven), read by Node.js: the timestamps of its `TimestampExtension` depend on where the
# server stands, and browsers read some of them wrong.
#
# One would expect: `timestamp` has the form of the Bayeux specification (ISO 8601, in GMT), or one that
# `new Date(message.timestamp)` reads, as what CometD's own JavaScript extension writes.
# What happens: the server writes its local time with the name of its zone, such as `Mon Nov 30 03:04:05 CET 2026`, and in
# the language of its locale. JavaScript knows the zones of North America only: CET and IST give an invalid date,
# and CST, which Java writes in Shanghai, is read as Chicago's time, 14 hours off. In UTC all is well.
# For a Bayeux user: run such servers with `-Duser.timezone=UTC -Duser.language=en`, or send times as numbers in the data.
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
import java.util.TimeZone;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.ext.TimestampExtension;

class Probe {
    public static void main(String[] zones) throws Exception {
        var bayeux = new BayeuxServerImpl();
        bayeux.start();
        for (var zone : zones) {
            TimeZone.setDefault(TimeZone.getTimeZone(zone));
            var message = bayeux.newMessage();
            message.setChannel("/meta/connect");
            new TimestampExtension().sendMeta(null, message);
            System.out.println(message.get("timestamp"));
        }
        bayeux.stop();
        System.exit(0);
    }
}
EOF
cat >probe.mjs <<'EOF'
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';

// In hours, what a page reads less the true time; NaN where it reads nothing.
const expected = {'UTC': 0, 'America/New_York': 0, 'Europe/Berlin': NaN, 'Asia/Kolkata': NaN, 'Asia/Shanghai': 14};
const java = ['-XX:TieredStopAtLevel=1', '-Duser.language=en', '-cp', 'lib/*', 'Probe.java', ...Object.keys(expected)];
const now = Date.now();
const texts = execFileSync('java', java, {encoding: 'utf8', timeout: 60_000}).trim().split('\n');
Object.entries(expected).forEach(([zone, hours], n) => {
  const off = Math.round((new Date(texts[n]) - now) / 3_600_000);
  assert.equal(off, hours, `${zone}: ${texts[n]}`);
  console.log(`ok: ${zone}: "${texts[n]}" is read ${Number.isNaN(off) ? 'as no date' : `${off} hours off`}`);
});
EOF
timeout 80 node probe.mjs
