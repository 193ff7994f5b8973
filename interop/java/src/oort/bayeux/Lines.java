package bayeux;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

import org.eclipse.jetty.util.ajax.JSON;

/** Objects in JSON, a line each: what is asked on standard input, what is answered and told on standard output. */
final class Lines {
    /** What does what a line asks. */
    interface Handler {
        /** Answers {@code request}, now or later, by {@link #answer} or {@link #fail} with its id. */
        void handle(Map<String, Object> request) throws Exception;
    }

    private static final JSON JSON = new JSON();
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    /** Handles line after line until standard input ends. */
    static void handle(Handler handler) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = in.readLine(); line != null; line = in.readLine()) {
            @SuppressWarnings("unchecked")
            var request = (Map<String, Object>) JSON.fromJSON(line);
            try {
                handler.handle(request);
            } catch (Exception failure) {
                fail(request.get("id"), failure);
            }
        }
    }

    static void answer(Object id, Object result) {
        var line = new LinkedHashMap<String, Object>();
        line.put("id", id);
        line.put("result", result);
        write(line);
    }

    static void fail(Object id, Object failure) {
        var line = new LinkedHashMap<String, Object>();
        line.put("id", id);
        line.put("error", String.valueOf(failure));
        write(line);
    }

    /** Tells what happened: its name, then names and values. */
    static void tell(String event, Object... fields) {
        var line = new LinkedHashMap<String, Object>();
        line.put("event", event);
        for (var i = 0; i < fields.length; i += 2) {
            line.put((String) fields[i], fields[i + 1]);
        }
        write(line);
    }

    static void write(Map<String, Object> line) {
        var text = JSON.toJSON(line);
        synchronized (OUT) {
            OUT.println(text);
            OUT.flush();
        }
    }

    private Lines() {}
}
