//! Callback-polling with callbacks that are more than a name.

use crate::scene::{Scene, split};

const HANDSHAKE: &str = "message=%5B%7B%22channel%22%3A%22%2Fmeta%2Fhandshake%22%7D%5D";

async fn get(scene: &Scene, query: &str) -> String {
    let mut raw = scene.raw().await;
    raw.write(format!("GET /?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    raw.read_to_end().await
}

#[tokio::test]
async fn a_callback_that_is_no_name_is_refused_and_not_repeated() {
    let mut scene = Scene::new().await;
    for callback in [
        "",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "alert(1)//",
        "a;evil",
        "evil%20b",
        "evil[0]",
        "evil%00",
        "evil%0D%0Aset-cookie:%20evil=1",
        "evil%22",
        "evil%C3%A9",
        "evil%E2%80%A8",
        "evil%FF",
        &"evil".repeat(17),
    ] {
        let response = get(&scene, &format!("jsonp={callback}&{HANDSHAKE}")).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{callback}: {response}");
        assert!(response.contains("content-type: text/plain;"), "{response}");
        assert!(!response.contains("evil") && !response.contains("alert"), "{response}");
    }
    let twice = get(&scene, &format!("jsonp=a&jsonp=b&{HANDSHAKE}")).await;
    assert!(twice.starts_with("HTTP/1.1 400 "), "{twice}");
    scene.is_calm().await;
}

#[tokio::test]
async fn a_query_without_messages_is_refused() {
    let mut scene = Scene::new().await;
    for (query, expected) in [
        ("jsonp=a", 400),
        ("jsonp=a&message=", 400),
        ("jsonp=a&message=%5B%5D", 400),
        ("jsonp=a&message=hello", 400),
        ("jsonp=a&message=%5B%7B%22channel", 400),
        ("jsonp=a&message=%ff", 400),
        (HANDSHAKE, 400),
    ] {
        let (status, text) = split(&get(&scene, query).await);
        assert_eq!(status, expected, "{query} got {text}");
    }
    scene.is_calm().await;
}

/// What a refusal repeats of a request must not be taken for a page.
#[tokio::test]
async fn a_refusal_is_text_whatever_it_repeats() {
    let mut scene = Scene::new().await;
    let query = "jsonp=a&message=%5B%22%3Cscript%3Ealert(1)%3C/script%3E%22%5D";
    let response = get(&scene, query).await;
    assert!(response.contains("content-type: text/plain;"), "{response}");
    assert!(response.contains("x-content-type-options: nosniff"), "{response}");
    scene.is_calm().await;
}
