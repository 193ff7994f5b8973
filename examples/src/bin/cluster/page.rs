//! The files of the page; what it has in common with the demo's is the demo's.

use axum::Router;
use examples::page::{self, File};

/// The path, type and text of each file.
const FILES: [File; 16] = [
    ("/", "text/html;charset=UTF-8", include_str!("page/index.html")),
    ("/cluster.css", "text/css", include_str!("page/cluster.css")),
    ("/app.js", "text/javascript", include_str!("page/app.js")),
    ("/keeper.js", "text/javascript", include_str!("page/keeper.js")),
    ("/node.js", "text/javascript", include_str!("page/node.js")),
    ("/map.js", "text/javascript", include_str!("page/map.js")),
    ("/sky.js", "text/javascript", include_str!("page/sky.js")),
    ("/log.js", "text/javascript", include_str!("page/log.js")),
    ("/style.css", "text/css", include_str!("../demo/page/style.css")),
    ("/status.js", "text/javascript", include_str!("../demo/page/status.js")),
    ("/dom.js", "text/javascript", include_str!("../demo/page/dom.js")),
    ("/bayeux.js", "text/javascript", include_str!("../demo/page/bayeux.js")),
    ("/ack.js", "text/javascript", include_str!("../demo/page/ack.js")),
    ("/reasons.js", "text/javascript", include_str!("../demo/page/reasons.js")),
    ("/transports.js", "text/javascript", include_str!("../demo/page/transports.js")),
    ("/wake.js", "text/javascript", include_str!("../demo/page/wake.js")),
];

/// Returns the routes of the page's files.
pub(crate) fn routes() -> Router {
    page::routes(&FILES)
}
