//! The files of the page.

use axum::{Router, http::header, response::IntoResponse, routing::get};

/// Returns the routes of the page's files.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| file("text/html;charset=UTF-8", include_str!("page/index.html"))))
        .route("/style.css", get(|| file("text/css", include_str!("page/style.css"))))
        .route("/app.js", get(|| file("text/javascript", include_str!("page/app.js"))))
        .route("/bayeux.js", get(|| file("text/javascript", include_str!("page/bayeux.js"))))
}

#[expect(clippy::unused_async, reason = "a handler is async")]
async fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], text)
}
