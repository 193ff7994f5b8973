//! Where a redirect leads, and whether messages are sent there on the server's word alone.

use ::http::{HeaderMap, StatusCode, header};
use url::Url;

/// What an answer says about the place of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The same request is to be made there.
    Follow(Url),
    /// Only the application can decide to go there.
    Ask(Url),
}

impl Redirect {
    /// Reads the redirect of an answer that came from `url`, if it is one.
    ///
    /// A request is only repeated for a status that says so (307, 308) and with the same host: its
    /// headers may hold secrets of that host. From `http` to `https` is fine, the way back is not.
    pub(super) fn of(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        if !status.is_redirection() {
            return None;
        }
        let location = headers.get(header::LOCATION)?.to_str().ok()?;
        let target = url.join(location).ok()?;
        let is_repeating =
            matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let is_same = target.scheme() == url.scheme()
            && target.port_or_known_default() == url.port_or_known_default();
        let is_upgrade = url.scheme() == "http" && target.scheme() == "https";
        let is_near = target.host() == url.host() && (is_same || is_upgrade);
        Some(if is_repeating && is_near { Self::Follow(target) } else { Self::Ask(target) })
    }

    /// Says what to do about a redirect that is not followed.
    pub(super) fn advice(&self) -> String {
        let (Self::Follow(target) | Self::Ask(target)) = self;
        let mut target = target.clone();
        let _ = target.set_password(None);
        let _ = target.set_username("");
        format!("the server redirects to {target}; use that URL")
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn redirect(status: u16, location: &str) -> Option<Redirect> {
        let url = Url::parse("http://example.org/cometd/handshake").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
        Redirect::of(&url, StatusCode::from_u16(status).unwrap(), &headers)
    }

    fn follows(status: u16, location: &str) -> bool {
        matches!(redirect(status, location), Some(Redirect::Follow(_)))
    }

    #[test]
    fn a_post_is_repeated_at_the_same_host() {
        assert!(follows(307, "/other"));
        assert!(follows(308, "other?x"));
        assert!(follows(308, "https://example.org/cometd"));
        assert!(follows(308, "https://example.org:8443/cometd"));
        assert!(!follows(308, "http://example.org:8080/cometd"));
        assert!(!follows(307, "http://example.com/cometd"));
        assert!(!follows(307, "ftp://example.org/"));
        assert!(!follows(301, "/other"));
        assert!(!follows(302, "/other"));
        assert!(!follows(303, "/other"));
    }

    #[test]
    fn a_redirect_that_is_not_followed_names_its_target() {
        let redirect = redirect(302, "https://u:secret@example.com/x").unwrap();
        assert_eq!(
            redirect.advice(),
            "the server redirects to https://example.com/x; use that URL"
        );
    }

    #[test]
    fn an_answer_without_a_target_is_no_redirect() {
        assert_eq!(redirect(200, "/other"), None);
        assert_eq!(redirect(307, "http://[::"), None);
    }
}
