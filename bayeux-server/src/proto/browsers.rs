//! Which connects are held for each browser: its tabs share one cookie, and over HTTP/1.1 a browser
//! has few connections.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::proto::session::Cycle;

/// The value of the browser cookie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BrowserId(pub(crate) Arc<str>);

/// The held connects of each browser, by their sessions. A browser that holds none is not kept. Nothing
/// depends on the order.
#[derive(Debug, Default)]
pub(crate) struct Browsers(IndexMap<BrowserId, Vec<(Arc<str>, Cycle)>>);

impl Browsers {
    /// Notes one more held connect, unless those of `most` other sessions are held; no `most` is no
    /// limit. A connect that overtakes another of its session takes over its place.
    pub(crate) fn take(
        &mut self,
        browser: &BrowserId,
        session: &Arc<str>,
        cycle: Cycle,
        most: Option<usize>,
    ) -> bool {
        let held = self.0.get_mut(browser);
        let count = held.as_ref().map_or(0, |held| held.len());
        let own = held.and_then(|held| held.iter_mut().find(|(id, _)| id == session));
        if let Some((_, overtaken)) = own {
            *overtaken = cycle;
            return true;
        }
        if most.is_some_and(|most| count >= most) {
            return false;
        }
        self.0.entry(browser.clone()).or_default().push((session.clone(), cycle));
        true
    }

    /// Forgets a held connect, unless another has taken over its place.
    pub(crate) fn release(&mut self, browser: &BrowserId, session: &Arc<str>, cycle: Cycle) {
        if let Some(held) = self.0.get_mut(browser) {
            held.retain(|(id, own)| id != session || *own != cycle);
            if held.is_empty() {
                self.0.swap_remove(browser);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (Browsers, BrowserId, [Arc<str>; 2]) {
        (Browsers::default(), BrowserId("b".into()), ["one".into(), "other".into()])
    }

    #[test]
    fn a_released_place_is_free_and_an_empty_browser_forgotten() {
        let (mut browsers, browser, [one, other]) = ids();
        let cycle = Cycle::default();
        assert!(browsers.take(&browser, &one, cycle, Some(1)));
        assert!(!browsers.take(&browser, &other, cycle, Some(1)));
        browsers.release(&browser, &one, cycle);
        assert!(browsers.0.is_empty());
        assert!(browsers.take(&browser, &other, cycle, Some(1)));
    }

    #[test]
    fn a_session_that_overtakes_itself_keeps_its_one_place() {
        let (mut browsers, browser, [one, other]) = ids();
        let (old, new) = (Cycle::default(), Cycle::default().next());
        assert!(browsers.take(&browser, &one, old, Some(1)));
        assert!(browsers.take(&browser, &one, new, Some(1)));
        browsers.release(&browser, &one, old);
        assert!(!browsers.take(&browser, &other, old, Some(1)));
        browsers.release(&browser, &one, new);
        assert!(browsers.0.is_empty());
    }

    #[test]
    fn zero_never_holds_and_none_always_does() {
        let (mut browsers, browser, [one, other]) = ids();
        assert!(!browsers.take(&browser, &one, Cycle::default(), Some(0)));
        assert!(browsers.take(&browser, &one, Cycle::default(), None));
        assert!(browsers.take(&browser, &other, Cycle::default(), None));
    }
}
