//! The connects of a browser, of which only some are held: over HTTP/1.1 it has few connections.

use std::sync::Arc;

use bayeux_api::{ConnectionType, Message, Reconnect, implement::lock};

use crate::{
    proto::{browsers::BrowserId, session::Cycle},
    server::Server,
    session::Session,
};

/// The browser that a request says it is of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tab {
    /// None when it says nothing.
    pub(crate) browser: Option<BrowserId>,
    /// How many connects are held for one browser.
    pub(crate) most_held: Option<usize>,
}

/// One held connect of a browser; given back when dropped.
pub(super) struct Place<'a> {
    server: &'a Server,
    browser: Option<&'a BrowserId>,
    session: Arc<Session>,
    cycle: Cycle,
}

impl<'a> Place<'a> {
    /// Takes a place for the connect of `cycle`; none when the browser has no more.
    pub(super) fn take(
        server: &'a Server,
        tab: &'a Tab,
        session: &Arc<Session>,
        cycle: Cycle,
    ) -> Option<Self> {
        let Tab { browser, most_held } = tab;
        let is_free = browser.as_ref().is_none_or(|browser| {
            lock(&server.0.browsers).take(browser, session.shared_id(), cycle, *most_held)
        });
        let (browser, session) = (browser.as_ref(), session.clone());
        is_free.then_some(Self { server, browser, session, cycle })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(browser) = self.browser {
            let mut browsers = lock(&self.server.0.browsers);
            browsers.release(browser, self.session.shared_id(), self.cycle);
        }
    }
}

/// Makes a reply to a browser's further tab, which has to poll.
pub(super) fn refuse(
    server: &Server,
    session: &Session,
    transport: ConnectionType,
    reply: &mut Message,
) {
    let interval = server.0.config.http.multi_session_interval;
    session.advise_again();
    reply.advice = session.take_advice(Some(transport));
    session.advise_again();
    let advice = reply.advice_mut();
    advice.multiple_clients = Some(true);
    if interval.is_zero() {
        advice.reconnect = Some(Reconnect::None);
        reply.successful = Some(false);
    } else {
        advice.reconnect = Some(Reconnect::Retry);
        advice.interval = i64::try_from(interval.as_millis()).ok();
    }
}
