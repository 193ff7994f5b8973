//! Answers to posted messages, good and bad.

use std::time::{Duration, SystemTime};

use bayeux_api::client::FailureKind;

use super::*;

#[tokio::test]
async fn messages_are_posted_as_json() {
    let (url, server) = server(vec![ok()]).await;
    let body = within(network().post(&url, br#"[{"a":1}]"#.to_vec())).await.unwrap();
    assert_eq!(body, "[{}]");
    let requests = server.await.unwrap();
    let request = &requests[0];
    assert!(request.head.starts_with("POST /cometd HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.body, r#"[{"a":1}]"#);
    let content_type = request.header("content-type");
    assert_eq!(content_type.as_deref(), Some("application/json;charset=UTF-8"));
    assert!(request.header("user-agent").unwrap().starts_with("bayeux-client/"));
    assert_eq!(request.header("host"), Some(url.authority().to_owned()));
    assert_eq!(request.header("cookie"), None);
}

#[tokio::test]
async fn a_status_is_a_failure() {
    let failure = posted(response("503 Service Unavailable", "Retry-After: 7\r\n", "no")).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!(failure.http_code, Some(503));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(failure.reason, "the server answered 503 Service Unavailable");

    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
    let failure = posted(response("429 Slow", &format!("Retry-After: {date}\r\n"), "")).await;
    let after = failure.unwrap_err().retry_after.unwrap();
    assert!((80..=100).contains(&after.as_secs()), "{after:?}");

    let failure = posted("HTTP/1.1 204 No Content\r\n\r\n").await.unwrap_err();
    assert_eq!((failure.kind, failure.http_code), (FailureKind::Status, Some(204)));
}

#[tokio::test]
async fn an_empty_answer_is_like_no_content() {
    let failure = posted(response("200 OK", "", "")).await.unwrap_err();
    assert_eq!((failure.kind, failure.http_code), (FailureKind::Invalid, Some(204)));
}

#[tokio::test]
async fn a_page_is_not_an_answer() {
    let page = "<html><body>Please log in to the network of this hotel, which is not what you want";
    let failure = posted(response("200 OK", "Content-Type: text/html\r\n", page)).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.reason.starts_with("the answer is HTML, not JSON: <html>"));
    assert!(!failure.reason.contains("which is not"), "{}", failure.reason);
}

#[tokio::test]
async fn what_is_not_http_is_invalid() {
    let failure = posted("SSH-2.0-OpenSSH_9.2\r\n\r\n").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n";
    let failure = posted(chunked).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
}

#[tokio::test]
async fn an_answer_cut_anywhere_is_closed() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[{\r\n2\r\n}]\r\n0\r\n\r\n";
    for whole in [ok(), chunked.to_owned()] {
        for length in 0..whole.len() {
            let result = posted(&whole[..length]).await;
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Closed, "cut at {length}: {failure}");
            assert!(failure.reason.starts_with("the connection ended"), "{failure}");
        }
        assert_eq!(posted(whole.as_str()).await.unwrap(), "[{}]");
    }
}

#[tokio::test]
async fn the_size_of_an_answer_is_limited() {
    let config = NetworkConfig { max_message_size: 10, ..NetworkConfig::default() };
    let chunked = |body: &str| {
        let chunks: String = body.chars().map(|char| format!("1\r\n{char}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    for (body, fits) in [("[12345678]", true), ("[123456789]", false)] {
        for answer in [response("200 OK", "", body), chunked(body)] {
            let (url, server) = server(vec![answer]).await;
            let network = Network::new(config.clone()).unwrap();
            let result = within(network.post(&url, b"[]".to_vec())).await;
            server.await.unwrap();
            if fits {
                assert_eq!(result.unwrap(), body);
                continue;
            }
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, FailureKind::TooLarge);
            assert_eq!(failure.reason, "the answer is larger than 10 bytes");
        }
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_not_read_for_ever() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut sent: usize = 0;
        while stream.write_all(&[b'['; 64 * 1024]).await.is_ok() {
            sent += 64 * 1024;
        }
        sent
    });
    let failure = within(network().post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    assert!(within(server).await.unwrap() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let body = format!("[{}]", "1".repeat(1024 * 1024 - 2));
    assert_eq!(posted(response("200 OK", "", &body)).await.unwrap(), body);
}

#[tokio::test]
async fn cookies_come_back() {
    let set = "Set-Cookie: a=1; Path=/; HttpOnly; SameSite=Lax\r\n\
               Set-Cookie: b=2; Path=/; Expires=Wed, 21 Oct 2199 07:28:00 GMT\r\n\
               Set-Cookie: gone=3; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    let unset = "Set-Cookie: b=; Path=/; Max-Age=0\r\n";
    let answers = vec![response("200 OK", set, "[]"), response("500 Oh", unset, "[]"), ok(), ok()];
    let (url, server) = server(answers).await;
    let network = network();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    assert_eq!(network.cookie(&url, "a").as_deref(), Some("1"));
    network.put_cookie(&url, "mine=4; Path=/");
    within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    network.clear();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    let requests = server.await.unwrap();
    let cookies: Vec<_> = requests.iter().map(|request| request.header("cookie")).collect();
    let expected = [None, Some("a=1; b=2; mine=4"), Some("a=1; mine=4"), None];
    assert_eq!(cookies, expected.map(|cookies| cookies.map(str::to_owned)));
}

#[tokio::test]
async fn cookies_do_not_go_to_another_host() {
    let (url, first) = server(vec![response("200 OK", "Set-Cookie: a=1; Path=/\r\n", "[]")]).await;
    let network = network();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    first.await.unwrap();
    let (mut url, second) = server(vec![ok()]).await;
    url.set_host(Some("localhost")).unwrap();
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    assert_eq!(second.await.unwrap()[0].header("cookie"), None);
}
