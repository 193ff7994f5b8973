package bayeux;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waiting for events with a deadline, and saying what did not come. */
final class Wait {
    private static final int SECONDS = 10;

    static <T> T reply(String what, CompletableFuture<T> future) throws Exception {
        try {
            return future.get(SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            throw new AssertionError("nothing within " + SECONDS + " s: " + what);
        }
    }

    /** The next item of an inbox. */
    static <T> T next(String what, BlockingQueue<T> inbox) throws Exception {
        var item = inbox.poll(SECONDS, TimeUnit.SECONDS);
        if (item == null) {
            throw new AssertionError("nothing within " + SECONDS + " s: " + what);
        }
        return item;
    }

    static <T> List<T> take(int count, String what, BlockingQueue<T> inbox) throws Exception {
        var items = new ArrayList<T>();
        while (items.size() < count) {
            items.add(next(what + ", after " + items, inbox));
        }
        return items;
    }

    static void same(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    static void holds(String what, boolean condition) {
        if (!condition) {
            throw new AssertionError("not so: " + what);
        }
    }

    static <T> T unchecked(Callable<T> callable) {
        try {
            return callable.call();
        } catch (Exception failure) {
            throw new IllegalStateException(failure);
        }
    }
}
