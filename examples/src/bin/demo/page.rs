//! The files of the page.

use axum::Router;
use examples::page::{self, File};

/// The path, type and text of each file.
const FILES: [File; 20] = [
    ("/", "text/html;charset=UTF-8", include_str!("page/index.html")),
    ("/style.css", "text/css", include_str!("page/style.css")),
    ("/app.js", "text/javascript", include_str!("page/app.js")),
    ("/connection.js", "text/javascript", include_str!("page/connection.js")),
    ("/status.js", "text/javascript", include_str!("page/status.js")),
    ("/chat.js", "text/javascript", include_str!("page/chat.js")),
    ("/tab.js", "text/javascript", include_str!("page/tab.js")),
    ("/presence.js", "text/javascript", include_str!("page/presence.js")),
    ("/sayings.js", "text/javascript", include_str!("page/sayings.js")),
    ("/members.js", "text/javascript", include_str!("page/members.js")),
    ("/conversation.js", "text/javascript", include_str!("page/conversation.js")),
    ("/echo.js", "text/javascript", include_str!("page/echo.js")),
    ("/lazy.js", "text/javascript", include_str!("page/lazy.js")),
    ("/stats.js", "text/javascript", include_str!("page/stats.js")),
    ("/dom.js", "text/javascript", include_str!("page/dom.js")),
    ("/bayeux.js", "text/javascript", include_str!("page/bayeux.js")),
    ("/ack.js", "text/javascript", include_str!("page/ack.js")),
    ("/reasons.js", "text/javascript", include_str!("page/reasons.js")),
    ("/transports.js", "text/javascript", include_str!("page/transports.js")),
    ("/wake.js", "text/javascript", include_str!("page/wake.js")),
];

/// Returns the routes of the page's files.
pub(crate) fn routes() -> Router {
    page::routes(&FILES)
}
