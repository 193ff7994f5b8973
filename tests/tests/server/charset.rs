//! How the body of a POST may be written: charsets, content types and forms.

use http::header;
use serde_json::{Value, json};
use tests::{Http, TestServer, Transport, over_every_transport, raw::Raw};

/// Publishes what `body` makes of a message, and returns the status and what the subscriber gets.
async fn posted(content_type: Option<&str>, body: impl FnOnce(String) -> Vec<u8>) -> (u16, Value) {
    let server = TestServer::start(|config| config.http.trust_client_session = true).await;
    let mut client = server.connected(Transport::LongPolling).await;
    client.subscribe("/a").await;
    let message = json!({ "channel": "/a", "clientId": client.id(), "data": "αβγ" }).to_string();
    let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
    let response = Http::new(server.address).post("/", &headers, body(message)).await.unwrap();
    let status = response.status().as_u16();
    if status != 200 {
        return (status, Value::Null);
    }
    let messages: Vec<Value> = serde_json::from_slice(response.body()).unwrap();
    (status, messages[0]["data"].clone())
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    for content_type in [
        None,
        Some("application/json"),
        Some("application/json;charset=UTF-8"),
        Some("text/plain"),
        Some("nonsense"),
    ] {
        let (status, data) = posted(content_type, |text| format!("[{text}]").into()).await;
        assert_eq!((status, data), (200, json!("αβγ")), "{content_type:?}");
    }
}

#[tokio::test]
async fn other_charsets_are_read() {
    let greek = |text: String| {
        let bytes = |letter| match letter {
            'α' => 0xe1,
            'β' => 0xe2,
            'γ' => 0xe3,
            other => u8::try_from(other).unwrap(),
        };
        text.chars().map(bytes).collect()
    };
    let (status, data) = posted(Some("application/json; charset=ISO-8859-7"), greek).await;
    assert_eq!((status, data), (200, json!("αβγ")));
    let utf16 = |text: String| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (status, data) = posted(Some("application/json;charset=\"utf-16le\""), utf16).await;
    assert_eq!((status, data), (200, json!("αβγ")));
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_whatever_the_label() {
    for label in
        ["", ";charset=utf-8", ";charset=utf8", ";charset=UTF8", ";charset=unicode-1-1-utf-8"]
    {
        let content_type = format!("application/json{label}");
        let body = |text: String| format!("\u{feff}{text}").into();
        assert_eq!(posted(Some(&content_type), body).await, (200, json!("αβγ")), "{label}");
        // What is not UTF-8 is told, and not mended.
        let body = |text: String| {
            text.replace('α', "?").bytes().map(|b| if b == b'?' { 0xff } else { b }).collect()
        };
        assert_eq!(posted(Some(&content_type), body).await.0, 400, "{label}");
    }
    let form = "application/x-www-form-urlencoded";
    let body = |text: String| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("message", &format!("\u{feff}[{text}]"));
        form.finish().into()
    };
    assert_eq!(posted(Some(form), body).await, (200, json!("αβγ")));
}

/// A mark says more than a label, which may be a guess (WHATWG Encoding, section 6), and says which UTF-16.
#[tokio::test]
async fn a_byte_order_mark_tells_the_charset_whatever_the_label() {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| {
        move |text: String| {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect::<Vec<_>>()
        }
    };
    for label in [";charset=utf-8", ";charset=utf-16", ";charset=utf-16be", ";charset=ISO-8859-1"] {
        let content_type = format!("application/json{label}");
        for bytes in [u16::to_be_bytes, u16::to_le_bytes] {
            let read = posted(Some(&content_type), utf16(bytes)).await;
            assert_eq!(read, (200, json!("αβγ")), "{label}");
        }
        let read = posted(Some(&content_type), |text| format!("\u{feff}{text}").into()).await;
        assert_eq!(read, (200, json!("αβγ")), "{label}");
    }
}

/// `curl --data @file` labels a file with a mark as a form.
#[tokio::test]
async fn a_byte_order_mark_is_passed_over_before_what_is_labelled_as_a_form() {
    let form = Some("application/x-www-form-urlencoded");
    let read = posted(form, |text| format!("\u{feff}[{text}]").into()).await;
    assert_eq!(read, (200, json!("αβγ")));
    let body = |text: String| format!("\u{feff}message={}", encoded(&text)).into();
    assert_eq!(posted(form, body).await, (200, json!("αβγ")));
}

#[tokio::test]
async fn what_is_not_in_its_charset_is_told_and_not_mended() {
    for (label, wrong) in [
        ("utf-16le", &b"\0"[..]),
        ("utf-16be", b"\xd8\0"),
        ("shift_jis", b"\xff"),
        ("gbk", b"\xff"),
    ] {
        let content_type = format!("application/json;charset={label}");
        let body = |text: String| {
            let text = text.replace(|c: char| !c.is_ascii(), "");
            let coded = |text: &str| match label {
                "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => text.as_bytes().to_vec(),
            };
            let (before, after) = text.rsplit_once('"').unwrap();
            match label {
                "utf-16le" => [coded(&text), wrong.to_vec()].concat(),
                _ => [coded(before), wrong.to_vec(), coded(&format!("\"{after}"))].concat(),
            }
        };
        assert_eq!(posted(Some(&content_type), body).await.0, 400, "{label}");
    }
}

#[tokio::test]
async fn a_form_and_a_query_are_read_in_their_charset_and_not_mended() {
    let form = "application/x-www-form-urlencoded";
    let wrong =
        |text: String| format!("message={}", encoded(&text).replace("%CE%B1", "%FF")).into();
    assert_eq!(posted(Some(form), wrong).await.0, 400);
    let greek = |text: String| {
        let letters = [("%CE%B1", "%E1"), ("%CE%B2", "%E2"), ("%CE%B3", "%E3")];
        let replace = |text: String, (from, to): (&str, &str)| text.replace(from, to);
        format!("x=1&message={}", letters.into_iter().fold(encoded(&text), replace)).into()
    };
    let read = posted(Some(&format!("{form};charset=ISO-8859-7")), greek).await;
    assert_eq!(read, (200, json!("αβγ")));

    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let query = |data| {
        format!("/?jsonp=f&message=%5B%7B%22channel%22:%22/a%22,%22data%22:%22{data}%22%7D%5D")
    };
    assert_eq!(http.get(&query("%CE%B1"), &[]).await.unwrap().status(), 200);
    assert_eq!(http.get(&query("%FF"), &[]).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_label_without_a_name_says_nothing() {
    for label in ["charset=", "charset=\"\"", "charset"] {
        let read = posted(Some(&format!("application/json;{label}")), Vec::from).await;
        assert_eq!(read, (200, json!("αβγ")), "{label}");
    }
}

over_every_transport!(a_byte_order_mark_is_passed_over);

async fn a_byte_order_mark_is_passed_over(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send_text(format!("\u{feff}[{publish}]"));
    assert_eq!(client.message_on("/a").await["data"], 1);
}

#[tokio::test]
async fn an_encoded_body_is_refused_with_what_is_read() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let body = "[{}]";
    for (encoding, status) in [
        ("gzip", 415),
        ("br", 415),
        ("identity, gzip", 415),
        ("identity", 200),
        ("Identity", 200),
        ("identity, identity", 200),
        (", identity ,", 200),
        (",", 200),
        ("", 200),
    ] {
        let response = http.post("/", &[("content-encoding", encoding)], body).await.unwrap();
        assert_eq!(response.status(), status, "{encoding}");
        let accepted = response.headers().get(header::ACCEPT_ENCODING);
        assert_eq!(accepted.is_some_and(|value| value == "identity"), status == 415, "{encoding}");
    }
}

/// It is taken first: a connection that is closed under a request may take the answer with it.
#[tokio::test]
async fn the_connection_of_an_encoded_body_goes_on() {
    let server = TestServer::start(|_| {}).await;
    let mut raw = Raw::connect(server.address).await;
    assert!(raw.post("content-encoding: gzip\r\n", vec![b' '; 1_000_000]).await);
    let read = raw.read_until("gzip").await;
    assert!(read.starts_with("HTTP/1.1 415 "), "{read}");
    assert!(raw.post("", r#"[{"channel":"/meta/handshake"}]"#).await);
    raw.read_until("HTTP/1.1 200 ").await;
}

#[tokio::test]
async fn an_unknown_charset_is_told() {
    let (status, _) = posted(Some("application/json;charset=klingon"), Vec::from).await;
    assert_eq!(status, 415);
}

#[tokio::test]
async fn what_is_not_utf8_is_refused() {
    let (status, _) = posted(None, |_| b"[{\"channel\":\"/a\xff\"}]".to_vec()).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_form_has_its_messages_in_fields() {
    let form = "application/x-www-form-urlencoded";
    let (status, data) =
        posted(Some(form), |text| format!("x=1&message={}", encoded(&text)).into()).await;
    assert_eq!((status, data), (200, json!("αβγ")));
    let several = |text: String| {
        let other = encoded(r#"[{"channel":"/b","clientId":"x"}]"#);
        format!("message={}&message={other}", encoded(&format!("[{text}]"))).into()
    };
    let (status, data) = posted(Some(&format!("{form};charset=UTF-8")), several).await;
    assert_eq!((status, data), (200, json!("αβγ")));
    let (status, _) = posted(Some(form), |_| b"x=1".to_vec()).await;
    assert_eq!(status, 400);
}
