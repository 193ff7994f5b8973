package bayeux;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

import org.cometd.bayeux.server.LocalSession;

/** Messages that go to another node and come back, some of them under way at a time, to measure what that costs. */
final class Flood {
    private static final String THERE = "/flood/there";
    private static final String BACK = "/flood/back";

    private final LocalSession session;

    Flood(LocalSession session) {
        this.session = session;
    }

    /** Has what comes on the one channel sent back on the other. */
    void echo() {
        session.getChannel(THERE).subscribe((channel, message) -> session.getChannel(BACK).publish(message.getData()));
    }

    /**
     * Sends {@code count} messages of {@code size} characters, {@code window} of them under way at a time,
     * and answers with the milliseconds that it took when all are back.
     */
    void begin(Object id, Map<String, Object> request) {
        var count = ((Number) request.get("count")).intValue();
        var window = ((Number) request.get("window")).intValue();
        var data = new LinkedHashMap<String, Object>();
        data.put("text", "x".repeat(((Number) request.get("size")).intValue()));
        var sent = new AtomicInteger();
        var back = new AtomicInteger();
        var begun = System.nanoTime();
        session.getChannel(BACK).subscribe((channel, message) -> {
            if (back.incrementAndGet() == count) {
                session.getChannel(BACK).unsubscribe();
                Lines.answer(id, (System.nanoTime() - begun) / 1_000_000);
            } else if (sent.incrementAndGet() <= count) {
                session.getChannel(THERE).publish(data);
            }
        }, reply -> {
            sent.set(window);
            for (var i = 0; i < window; i++) {
                session.getChannel(THERE).publish(data);
            }
        });
    }
}
