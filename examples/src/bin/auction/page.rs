//! The files of the pages: the door, at the program's own address, and the room, at each node's. What they have in
//! common with those of the demo and the cluster is theirs.

use axum::Router;
use examples::page::{self, File};

const DOOR: [File; 3] = [
    ("/", HTML, include_str!("page/door.html")),
    ("/door.js", JS, include_str!("page/door.js")),
    ("/keeper.js", JS, include_str!("../cluster/page/keeper.js")),
];

const ROOM: [File; 6] = [
    ("/", HTML, include_str!("page/room.html")),
    ("/room.js", JS, include_str!("page/room.js")),
    ("/lots.js", JS, include_str!("page/lots.js")),
    ("/people.js", JS, include_str!("page/people.js")),
    ("/house.js", JS, include_str!("page/house.js")),
    ("/tab.js", JS, include_str!("../demo/page/tab.js")),
];

const SHARED: [File; 9] = [
    ("/auction.css", "text/css", include_str!("page/auction.css")),
    ("/style.css", "text/css", include_str!("../demo/page/style.css")),
    ("/status.js", JS, include_str!("../demo/page/status.js")),
    ("/dom.js", JS, include_str!("../demo/page/dom.js")),
    ("/bayeux.js", JS, include_str!("../demo/page/bayeux.js")),
    ("/ack.js", JS, include_str!("../demo/page/ack.js")),
    ("/reasons.js", JS, include_str!("../demo/page/reasons.js")),
    ("/transports.js", JS, include_str!("../demo/page/transports.js")),
    ("/wake.js", JS, include_str!("../demo/page/wake.js")),
];

const HTML: &str = "text/html;charset=UTF-8";
const JS: &str = "text/javascript";

/// Returns the routes of the page that leads to the nodes.
pub(crate) fn door() -> Router {
    page::routes(&DOOR).merge(page::routes(&SHARED))
}

/// Returns the routes of a node's page.
pub(crate) fn room() -> Router {
    page::routes(&ROOM).merge(page::routes(&SHARED))
}
