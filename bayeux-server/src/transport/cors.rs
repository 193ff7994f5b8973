//! Cross-origin requests, as the server's list of origins allows them.

use std::time::Duration;

use http::{HeaderValue, request::Parts};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::{server::Server, transport::request::is_allowed_origin};

impl Server {
    /// Returns a layer that lets pages of [allowed origins](crate::Config::allowed_origins) talk to
    /// this server from a browser, with their cookies (the Fetch standard's CORS protocol). Put it
    /// around the [service](Self::service). Requests of other origins are refused by the service
    /// itself, WebSocket upgrades included, which browsers send without asking first.
    ///
    /// So a page can read every answer, whatever its status, but those to what never becomes a request: a
    /// head that is no HTTP (400), or that is larger than [`buffer_size`](crate::ServeConfig::buffer_size) or has
    /// more than a hundred headers (414, 431). hyper answers these by itself, before it knows an origin.
    ///
    /// Browsers send the cookie across sites only if it is `SameSite=None` and `Secure`; see
    /// [`CookieConfig`](crate::CookieConfig).
    pub fn cors(&self) -> CorsLayer {
        let max_age = Duration::from_secs(self.0.config.preflight_max_age.into());
        let server = self.clone();
        let is_allowed = move |_: &HeaderValue, parts: &Parts| {
            let allowed = server.0.config.allowed_origins.as_deref();
            is_allowed_origin(&parts.uri, &parts.headers, allowed)
        };
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_allowed))
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .allow_credentials(true)
            .max_age(max_age)
    }
}
