//! How many connects are held for each browser: its tabs share one cookie, and over HTTP/1.1 a
//! browser has few connections.

use std::collections::BTreeMap;

/// The value of the browser cookie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrowserId(pub(crate) Box<str>);

/// The held connects of each browser. A browser that holds none is not kept.
#[derive(Debug, Default)]
pub(crate) struct Browsers(BTreeMap<BrowserId, usize>);

impl Browsers {
    /// Counts one more held connect, unless `most` are held; no `most` is no limit.
    pub(crate) fn hold(&mut self, browser: &BrowserId, most: Option<usize>) -> bool {
        let held = self.0.get(browser).copied().unwrap_or_default();
        if most.is_some_and(|most| held >= most) {
            return false;
        }
        self.0.insert(browser.clone(), held + 1);
        true
    }

    /// Counts one held connect less.
    pub(crate) fn release(&mut self, browser: &BrowserId) {
        if let Some(held) = self.0.get_mut(browser) {
            *held -= 1;
            if *held == 0 {
                self.0.remove(browser);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_place_is_free_and_an_empty_browser_forgotten() {
        let (mut browsers, id) = (Browsers::default(), BrowserId("b".into()));
        assert!(browsers.hold(&id, Some(1)));
        assert!(!browsers.hold(&id, Some(1)));
        browsers.release(&id);
        assert!(browsers.0.is_empty());
        assert!(browsers.hold(&id, Some(1)));
    }

    #[test]
    fn zero_never_holds_and_none_always_does() {
        let (mut browsers, id) = (Browsers::default(), BrowserId("b".into()));
        assert!(!browsers.hold(&id, Some(0)));
        assert!((0..100).all(|_| browsers.hold(&id, None)));
    }
}
