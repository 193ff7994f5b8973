//! The files of a page, which are in the program.

use axum::{Router, http::header, routing::get};

/// The path, type and text of a file.
pub type File = (&'static str, &'static str, &'static str);

/// Returns the routes of a page's files.
pub fn routes(files: &[File]) -> Router {
    files.iter().fold(Router::new(), |router, &(path, content_type, text)| {
        let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
        router.route(path, get((headers, text)))
    })
}
