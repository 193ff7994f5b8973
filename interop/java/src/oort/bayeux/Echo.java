package bayeux;

import java.util.LinkedHashMap;

import org.cometd.oort.Oort;
import org.cometd.oort.OortService;

/** The service {@code echo}: answers with its parameter and who it is, unless the parameter is what it should do. */
final class Echo extends OortService<Object, Object> {
    Echo(Oort oort) {
        super(oort, "echo");
    }

    /** Asks the node at {@code url}, or all if that is null, and answers the line {@code id}. */
    void forward(Object id, String url, Object parameter) {
        if (!super.forward(url, parameter, id)) {
            Lines.fail(id, "not forwarded");
        }
    }

    @Override
    protected Result<Object> onForward(Request request) {
        var parameter = request.getData();
        if ("fail".equals(parameter)) {
            return Result.failure("failed");
        }
        if ("throw".equals(parameter)) {
            throw new IllegalStateException("thrown");
        }
        if ("ignore".equals(parameter) || ("ignore-own".equals(parameter) && request.isLocal())) {
            return Result.ignore("ignored");
        }
        var result = new LinkedHashMap<String, Object>();
        result.put("echo", parameter);
        result.put("by", getOort().getURL());
        return Result.success(result);
    }

    @Override
    protected void onForwardSucceeded(Object result, Object id) {
        Lines.answer(id, result);
    }

    @Override
    protected void onForwardFailed(Object failure, Object id) {
        Lines.fail(id, failure);
    }
}
