//! What a client has to know of the server's clock.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bayeux_api::{
    Flow, Message,
    server::{ServerExtension, ServerMessage, ServerSession},
};
use serde_json::{Map, Number, Value, json};

/// Tells clients by how much their clocks are wrong, and keeps how long their messages take.
///
/// A client says in `ext.timesync` of its handshake and its connects what its clock shows, `tc`, and what it takes for
/// the lag of the network, `l`, and the offset of the clocks, `o`. It is told when that arrived, `ts`, and for how long
/// it was processed, `p`, from which it has both anew; and how far off it was, `a`. One that is accurate enough is told
/// nothing. All are milliseconds, those of clocks since 1970.
#[derive(Clone, Copy, Debug)]
pub struct TimesyncExtension {
    accuracy_target: Duration,
}

impl Default for TimesyncExtension {
    /// Clients are accurate enough within 25 ms.
    fn default() -> Self {
        Self::new(Duration::from_millis(25))
    }
}

impl TimesyncExtension {
    /// Tells clients that are wrong by `accuracy_target` or more.
    pub fn new(accuracy_target: Duration) -> Self {
        Self { accuracy_target }
    }

    /// Returns how long a message of this session takes to get here, as its client says; none before it has. It is kept
    /// as the session's attribute `lag`, which is CometD's name for it.
    pub fn lag(session: &dyn ServerSession) -> Option<Duration> {
        session.attribute(LAG)?.downcast_ref().copied()
    }

    /// Returns what a client is to be told that said `sync` just now, at `ts`.
    fn answer(self, sync: &Map<String, Value>, ts: i64) -> Option<Value> {
        let tc = sync.get("tc")?.as_number()?;
        let Some(lag) = milliseconds(sync, "l") else { return Some(json!({ "tc": tc, "ts": ts })) };
        let offset = milliseconds(sync, "o").unwrap_or_default();
        let wrong_by = tc.as_f64()? + offset + lag - whole(ts);
        let is_accurate = wrong_by.abs() < self.accuracy_target.as_secs_f64() * 1000.0;
        if lag != 0.0 && is_accurate {
            return None;
        }
        Some(json!({ "tc": tc, "ts": ts, "a": rounded(wrong_by) }))
    }
}

#[async_trait]
impl ServerExtension for TimesyncExtension {
    async fn incoming(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if !message.is_meta() {
            return Flow::Continue;
        }
        let Some(Value::Object(sync)) = message.ext_field(TIMESYNC) else { return Flow::Continue };
        if let (Some(session), Some(lag)) = (from, milliseconds(&sync, "l")) {
            let lag = Duration::try_from_secs_f64(lag / 1000.0).unwrap_or_default();
            session.set_attribute(LAG, Arc::new(lag));
        }
        if let Some(answer) = self.answer(&sync, now()) {
            message.reply_mut().ext_mut().insert(TIMESYNC.to_owned(), answer);
        }
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        if message.is_meta()
            && let Some(Value::Object(mut sync)) = message.ext_field(TIMESYNC)
            && let Some(ts) = sync.get("ts").and_then(Value::as_i64)
        {
            sync.insert("p".to_owned(), json!(now().saturating_sub(ts).max(0)));
            message.ext_mut().insert(TIMESYNC.to_owned(), Value::Object(sync));
        }
        Flow::Continue
    }
}

const TIMESYNC: &str = "timesync";

/// The attribute of a session.
const LAG: &str = "lag";

fn milliseconds(sync: &Map<String, Value>, name: &str) -> Option<f64> {
    sync.get(name)?.as_f64()
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Exact for all times that a clock shows.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
fn whole(milliseconds: i64) -> f64 {
    milliseconds as f64
}

/// A whole number, unless it is too large for that.
fn rounded(milliseconds: f64) -> Option<Number> {
    format!("{milliseconds:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sync: &Value, ts: i64) -> Option<Value> {
        TimesyncExtension::default().answer(sync.as_object().unwrap(), ts)
    }

    #[test]
    fn who_is_accurate_is_told_nothing() {
        let sync = |tc: i64| json!({ "tc": tc, "l": 10, "o": 100 });
        for (tc, wrong_by) in [(865, Some(-25)), (915, Some(25)), (866, None), (914, None)] {
            let told = wrong_by.map(|a| json!({ "tc": tc, "ts": 1000, "a": a }));
            assert_eq!(answer(&sync(tc), 1000), told);
        }
    }

    #[test]
    fn who_knows_nothing_yet_is_told() {
        let told = json!({ "tc": 1000, "ts": 1000, "a": 0 });
        assert_eq!(answer(&json!({ "tc": 1000, "l": 0, "o": 0 }), 1000), Some(told));
        let told = json!({ "tc": 1000, "ts": 1000 });
        assert_eq!(answer(&json!({ "tc": 1000 }), 1000), Some(told));
    }

    #[test]
    fn halves_and_what_is_no_time_do_no_harm() {
        let told = json!({ "tc": 900.5, "ts": 1000, "a": -98 });
        assert_eq!(answer(&json!({ "tc": 900.5, "l": 1.5 }), 1000), Some(told));
        let told = json!({ "tc": 1e300, "ts": 1000, "a": rounded(1e300) });
        assert_eq!(answer(&json!({ "tc": 1e300, "l": 0, "o": "x" }), 1000), Some(told));
        for sync in [json!({}), json!({ "tc": "1000" }), json!({ "tc": null, "l": 1 })] {
            assert_eq!(answer(&sync, 1000), None);
        }
    }
}
