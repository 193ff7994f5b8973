package bayeux;

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** One process of the server under test, the program that the environment variable {@code BAYEUX_DEMO} names. */
final class Demo implements AutoCloseable {
    private static final Pattern ADDRESS = Pattern.compile("http://127\\.0\\.0\\.1:(\\d+)");
    private static final String PROGRAM =
            Objects.requireNonNull(System.getenv("BAYEUX_DEMO"), "BAYEUX_DEMO is not set");
    private static final Set<Process> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> RUNNING.forEach(Process::destroyForcibly)));
    }

    private Process process;
    private int port;

    /** Starts the demo on a free port. */
    Demo() throws Exception {
        start();
    }

    String url() {
        return "http://127.0.0.1:" + port + "/cometd";
    }

    /**
     * Kills the process, which says no word to its clients, and starts another one on the same port,
     * with CometD's options, each {@code name=value}.
     */
    void restart(String... options) throws Exception {
        close();
        start(options);
    }

    @Override
    public void close() throws Exception {
        process.destroyForcibly();
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the demo does not end when it is killed");
        }
        RUNNING.remove(process);
    }

    private void start(String... options) throws Exception {
        var command = new ArrayList<>(Arrays.asList(PROGRAM, "--listen", "127.0.0.1:" + port));
        for (var option : options) {
            command.addAll(Arrays.asList("-o", option));
        }
        process = new ProcessBuilder(command)
                .redirectInput(new File("/dev/null"))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        RUNNING.add(process);
        var output = new BufferedReader(new InputStreamReader(process.getInputStream()));
        var first = CompletableFuture.supplyAsync(() -> Wait.unchecked(output::readLine));
        var line = Wait.reply("the demo's address", first);
        var address = ADDRESS.matcher(String.valueOf(line));
        if (!address.find()) {
            throw new IllegalStateException("the demo did not start: " + line);
        }
        port = Integer.parseInt(address.group(1));
    }
}
