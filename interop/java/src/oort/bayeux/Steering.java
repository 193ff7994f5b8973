package bayeux;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CopyOnWriteArrayList;

import org.cometd.bayeux.server.LocalSession;
import org.cometd.bayeux.server.ServerChannel;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.oort.Oort;
import org.cometd.oort.OortList;
import org.cometd.oort.OortLong;
import org.cometd.oort.OortMap;
import org.cometd.oort.OortObject;
import org.cometd.oort.OortObjectFactories;
import org.cometd.oort.OortPrimaryLong;
import org.cometd.oort.OortStringMap;

/** What a node has, and does when a line asks for it. */
final class Steering {
    private final Map<String, String> comets = new TreeMap<>();
    private Oort oort;
    private LocalSession session;
    private OortStringMap<Object> map;
    private OortList<Object> list;
    private OortLong count;
    private OortPrimaryLong numbers;
    private Echo echo;
    private Users users;
    private Flood flood;

    Oort oort() {
        return oort;
    }

    void begin(Oort oort, boolean primary) {
        this.oort = oort;
        oort.addCometListener(new Oort.CometListener() {
            @Override
            public void cometJoined(Event event) {
                synchronized (comets) {
                    comets.put(event.getCometId(), event.getCometURL());
                }
                Lines.tell("joined", "comet", event.getCometId(), "url", event.getCometURL());
            }

            @Override
            public void cometLeft(Event event) {
                synchronized (comets) {
                    comets.remove(event.getCometId());
                }
                Lines.tell("left", "comet", event.getCometId(), "url", event.getCometURL());
            }
        });
        session = oort.getBayeuxServer().newLocalSession("steering");
        session.handshake();
        flood = new Flood(session);
        try {
            beginObjects(primary);
            users = Users.begin(oort);
        } catch (Exception failure) {
            throw new IllegalStateException(failure);
        }
    }

    private void beginObjects(boolean primary) throws Exception {
        map = new OortStringMap<>(oort, "map", OortObjectFactories.forConcurrentMap());
        map.addListener(new OortMap.DeltaListener<>(map));
        map.addEntryListener(new OortMap.EntryListener<>() {
            @Override
            public void onPut(OortObject.Info<ConcurrentMap<String, Object>> info, OortMap.Entry<String, Object> entry) {
                Lines.tell("put", "node", info.getOortURL(),
                        "key", entry.getKey(), "old", entry.getOldValue(), "value", entry.getNewValue());
            }

            @Override
            public void onRemoved(OortObject.Info<ConcurrentMap<String, Object>> info, OortMap.Entry<String, Object> entry) {
                Lines.tell("removed", "node", info.getOortURL(), "key", entry.getKey(), "old", entry.getOldValue());
            }
        });
        map.start();

        list = new OortList<>(oort, "list", OortObjectFactories.forConcurrentList());
        list.addListener(new OortList.DeltaListener<>(list));
        list.addElementListener(new OortList.ElementListener<>() {
            @Override
            public void onAdded(OortObject.Info<List<Object>> info, List<Object> elements) {
                Lines.tell("elements-added", "node", info.getOortURL(), "elements", elements);
            }

            @Override
            public void onRemoved(OortObject.Info<List<Object>> info, List<Object> elements) {
                Lines.tell("elements-removed", "node", info.getOortURL(), "elements", elements);
            }
        });
        list.start();

        count = new OortLong(oort, "long");
        count.start();
        echo = new Echo(oort);
        echo.start();
        numbers = new OortPrimaryLong(oort, "numbers", primary);
        numbers.start();
    }

    void handle(Map<String, Object> request) throws Exception {
        var id = request.get("id");
        var what = (String) request.get("do");
        var key = (String) request.get("key");
        var channel = (String) request.get("channel");
        var url = (String) request.get("url");
        switch (what) {
            case "comets" -> Lines.answer(id, comets());
            case "known" -> Lines.answer(id, oort.getKnownComets());
            case "transports" -> Lines.answer(id, transports());
            case "observe-comet" -> Lines.answer(id, oort.observeComet(url) != null);
            case "deobserve-comet" -> Lines.answer(id, oort.deobserveComet(url) != null);
            case "observe" -> {
                oort.observeChannel(channel);
                Lines.answer(id, true);
            }
            case "deobserve" -> {
                oort.deobserveChannel(channel);
                Lines.answer(id, true);
            }
            case "is-observed" -> Lines.answer(id, isObserved(channel, url));
            case "subscribe" -> subscribe(id, channel);
            case "publish" -> session.getChannel(channel).publish(
                    request.get("data"), reply -> Lines.answer(id, reply.isSuccessful()));
            case "put" -> map.putAndShare(key, request.get("value"), old -> Lines.answer(id, old));
            case "put-absent" -> map.putIfAbsentAndShare(key, request.get("value"), old -> Lines.answer(id, old));
            case "remove" -> map.removeAndShare(key, old -> Lines.answer(id, old));
            case "find" -> Lines.answer(id, map.find(key));
            case "map" -> Lines.answer(id, parts(map));
            case "add" -> list.addAndShare(changed -> Lines.answer(id, changed), elements(request));
            case "take" -> list.removeAndShare(changed -> Lines.answer(id, changed), elements(request));
            case "list" -> Lines.answer(id, parts(list));
            case "count" -> Lines.answer(id, count.addAndGet(((Number) request.get("by")).longValue()));
            case "sum" -> Lines.answer(id, count.sum());
            case "clear" -> {
                map.setAndShare(new ConcurrentHashMap<>(), old -> {});
                list.setAndShare(new CopyOnWriteArrayList<>(), old -> {});
                count.getAndSet(0);
                Lines.answer(id, true);
            }
            case "number" -> number(id);
            case "primary" -> Lines.answer(id, numbers.getPrimaryOortURL());
            case "where" -> Lines.answer(id, users.where((String) request.get("user")));
            case "present" -> Lines.answer(id, users.present());
            case "associated" -> Lines.answer(id, users.associated());
            case "send" -> {
                users.send(request);
                Lines.answer(id, true);
            }
            case "gather" -> {
                users.gather((String) request.get("name"), ((Number) request.get("count")).intValue());
                Lines.answer(id, true);
            }
            case "scatter" -> {
                users.scatter();
                Lines.answer(id, true);
            }
            case "stop-users" -> {
                users.stop();
                Lines.answer(id, true);
            }
            case "forward" -> echo.forward(id, url, request.get("parameter"));
            case "echo-flood" -> {
                flood.echo();
                Lines.answer(id, true);
            }
            case "flood" -> flood.begin(id, request);
            case "stop" -> {
                oort.stop();
                Lines.answer(id, true);
            }
            default -> Lines.fail(id, "no such thing to do: " + what);
        }
    }

    private List<Map<String, Object>> comets() {
        synchronized (comets) {
            return comets.entrySet().stream()
                    .map(comet -> Map.<String, Object>of("comet", comet.getKey(), "url", comet.getValue()))
                    .toList();
        }
    }

    /** Over which transports this node's clients of the others are connected, by URL. */
    private Map<String, String> transports() {
        var transports = new TreeMap<String, String>();
        for (var url : oort.getKnownComets()) {
            var comet = oort.getComet(url);
            if (comet != null && comet.getTransport() != null) {
                transports.put(url, comet.getTransport().getName());
            }
        }
        return transports;
    }

    /** Whether the node at {@code url} gets what is published here on {@code channel}. */
    private boolean isObserved(String channel, String url) {
        var found = oort.getBayeuxServer().getChannel(channel);
        return found != null && found.getSubscribers().stream()
                .anyMatch(subscriber -> url.equals(subscriber.getAttribute("org.cometd.oort.cometURL")));
    }

    /**
     * Tells what is published on a channel, in its order. That is lost on the way to a local session, which several
     * threads bring messages to at once.
     */
    private void subscribe(Object id, String channel) {
        var found = oort.getBayeuxServer().createChannelIfAbsent(channel).getReference();
        found.setPersistent(true);
        found.addListener(new ServerChannel.MessageListener() {
            @Override
            public boolean onMessage(ServerSession from, ServerChannel to, ServerMessage.Mutable message) {
                var told = new LinkedHashMap<String, Object>(message);
                told.keySet().removeAll(List.of("id", "clientId"));
                told.put("event", "message");
                Lines.write(told);
                return true;
            }
        });
        Lines.answer(id, true);
    }

    private void number(Object id) {
        var asked = numbers.getAndAdd(1, new OortPrimaryLong.Callback() {
            @Override
            public void succeeded(Long result) {
                Lines.answer(id, result);
            }

            @Override
            public void failed(Object failure) {
                Lines.fail(id, failure);
            }
        });
        if (!asked) {
            Lines.fail(id, "not forwarded");
        }
    }

    private static Object[] elements(Map<String, Object> request) {
        var elements = request.get("elements");
        return elements instanceof List<?> several ? several.toArray() : (Object[]) elements;
    }

    private static <T> Map<String, T> parts(OortObject<T> object) {
        var parts = new TreeMap<String, T>();
        for (var info : object) {
            parts.put(info.getOortURL(), info.getObject());
        }
        return parts;
    }
}
