package bayeux;

import java.util.HashMap;
import java.util.Map;

/** Options of the form {@code --name number}. */
final class Options {
    private final Map<String, Integer> numbers = new HashMap<>();

    Options(String[] args) {
        if (args.length % 2 != 0) {
            throw new IllegalArgumentException("options are pairs: --name number");
        }
        for (int i = 0; i < args.length; i += 2) {
            numbers.put(args[i].replaceFirst("^--", ""), Integer.valueOf(args[i + 1]));
        }
    }

    int number(String name, int otherwise) {
        return numbers.getOrDefault(name, otherwise);
    }
}
