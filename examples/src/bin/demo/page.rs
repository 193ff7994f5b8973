//! The files of the page.

use axum::{Router, http::header, routing::get};

/// The path, type and text of each file.
const FILES: [(&str, &str, &str); 13] = [
    ("/", "text/html;charset=UTF-8", include_str!("page/index.html")),
    ("/style.css", "text/css", include_str!("page/style.css")),
    ("/app.js", "text/javascript", include_str!("page/app.js")),
    ("/connection.js", "text/javascript", include_str!("page/connection.js")),
    ("/chat.js", "text/javascript", include_str!("page/chat.js")),
    ("/members.js", "text/javascript", include_str!("page/members.js")),
    ("/conversation.js", "text/javascript", include_str!("page/conversation.js")),
    ("/echo.js", "text/javascript", include_str!("page/echo.js")),
    ("/lazy.js", "text/javascript", include_str!("page/lazy.js")),
    ("/stats.js", "text/javascript", include_str!("page/stats.js")),
    ("/dom.js", "text/javascript", include_str!("page/dom.js")),
    ("/bayeux.js", "text/javascript", include_str!("page/bayeux.js")),
    ("/transports.js", "text/javascript", include_str!("page/transports.js")),
];

/// Returns the routes of the page's files.
pub(crate) fn routes() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
        router.route(path, get((headers, text)))
    })
}
