//! Redirects of posted messages.

use bayeux_api::client::FailureKind;

use super::*;

fn to(status: &str, location: &str) -> String {
    response(status, &format!("Location: {location}\r\n"), "moved")
}

#[tokio::test]
async fn a_post_is_repeated_where_the_server_says() {
    let answers =
        vec![to("307 Temporary Redirect", "/a?x"), to("308 Permanent Redirect", "b"), ok()];
    let (url, server) = server(answers).await;
    let body = within(network().post(&url, b"[1]".to_vec())).await.unwrap();
    assert_eq!(body, "[{}]");
    let requests = server.await.unwrap();
    let lines: Vec<_> =
        requests.iter().map(|request| request.head.lines().next().unwrap()).collect();
    assert_eq!(lines, ["POST /cometd HTTP/1.1", "POST /a?x HTTP/1.1", "POST /b HTTP/1.1"]);
    assert!(requests.iter().all(|request| request.body == "[1]"));
}

#[tokio::test]
async fn a_server_that_always_redirects_is_left() {
    let (url, server) = server(vec![to("307 Temporary Redirect", "/again"); 6]).await;
    let failure = within(network().post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert!(failure.reason.contains("more than 5 redirects"), "{failure}");
    assert_eq!(failure.http_code, Some(307));
    assert_eq!(server.await.unwrap().len(), 6);
}

#[tokio::test]
async fn other_redirects_name_their_target() {
    for (status, location) in [
        ("301 Moved", "http://example.com/cometd"),
        ("302 Found", "http://example.com/login"),
        ("307 Temporary Redirect", "http://example.com/cometd"),
    ] {
        let failure = posted(to(status, location)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Status);
        assert_eq!(failure.http_code, status[..3].parse().ok());
        let advice = format!("the server redirects to {location}; use that URL");
        assert!(failure.reason.ends_with(&advice), "{failure}");
    }
}

#[tokio::test]
async fn a_websocket_that_is_redirected_names_the_target() {
    let (url, server) = server(vec![to("308 Permanent Redirect", "/b")]).await;
    let failure = within(network().open_websocket(&url)).await.unwrap_err();
    assert_eq!(failure.http_code, Some(308));
    assert!(failure.reason.ends_with("/b; use that URL"), "{failure}");
    server.await.unwrap();
}
