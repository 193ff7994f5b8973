//! The codec alone, and against tungstenite's.

use proptest::prelude::*;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::*;

const MOST: usize = 1000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Makes a client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    append_length(&mut frame, payload.len());
    frame[1] |= 0x80;
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Decodes all of `bytes`, which arrive in parts of so many.
fn decode(bytes: &[u8], part: usize) -> Result<Vec<String>, SocketError> {
    let (mut decoder, mut arrived, mut events) = (Decoder::new(MOST), Vec::new(), Vec::new());
    for part in bytes.chunks(part) {
        arrived.extend_from_slice(part);
        while let Some((event, length)) = decoder.next(&mut arrived)? {
            events.push(format!("{event:?}"));
            arrived.drain(..length);
        }
    }
    assert!(arrived.is_empty(), "{} bytes are left", arrived.len());
    Ok(events)
}

fn one(bytes: &[u8]) -> String {
    match decode(bytes, bytes.len()) {
        Ok(events) => events.join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_rfcs_example_is_hello() {
    let frame = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(one(&frame), "Text(\"Hello\")");
}

#[test]
fn messages_come_in_parts_with_control_frames_between() {
    let bytes = [frame(0x01, b"Hel"), frame(0x89, b"?"), frame(0x00, b""), frame(0x80, b"lo")];
    for part in [1, 2, 5, 100] {
        let events = decode(&bytes.concat(), part).unwrap();
        assert_eq!(events, ["Part", "Ping([63])", "Part", "Text(\"Hello\")"]);
    }
}

#[test]
fn frames_of_all_lengths_come_whole() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, MOST] {
        let text = "x".repeat(length);
        assert_eq!(one(&frame(0x81, text.as_bytes())), format!("Text({text:?})"));
    }
}

#[test]
fn a_breach_is_an_error_and_says_which() {
    let mut unmasked = frame(0x81, b"");
    unmasked[1] = 0;
    let twice = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    for (bytes, expected) in [
        (unmasked, "without a mask"),
        (frame(0xc1, b""), "reserved bit"),
        (frame(0x83, b""), "unknown opcode"),
        (frame(0x8b, b""), "unknown opcode"),
        (frame(0x09, b""), "control frame"),
        (frame(0x89, &[0; 126]), "control frame"),
        (frame(0x80, b"a"), "part of no message"),
        (twice, "inside another"),
        (frame(0x88, b"a"), "half a close code"),
        (frame(0x88, &1005_u16.to_be_bytes()), "must not be sent"),
        (frame(0x88, &[3, 232, 0xff]), "not UTF-8"),
        (frame(0x81, b"\xff"), "not UTF-8"),
        ([frame(0x01, b"\xce"), frame(0x80, b"\xce")].concat(), "not UTF-8"),
        (frame(0x81, &[b'a'; MOST + 1]), "larger"),
        ([frame(0x01, &[b'a'; MOST]), frame(0x80, b"a")].concat(), "larger"),
    ] {
        assert!(one(&bytes).contains(expected), "{}: {expected}", one(&bytes));
    }
}

#[test]
fn a_head_that_announces_too_much_is_refused_before_the_rest_comes() {
    let mut head = vec![0x81, 0xff];
    head.extend(u64::MAX.to_be_bytes());
    head.extend(MASK);
    assert!(matches!(Decoder::new(MOST).next(&mut head), Err(SocketError::TooLarge)));
}

#[test]
fn a_character_may_be_cut_between_parts() {
    let [first, second] = [b"\xce", b"\xb1"];
    let bytes = [frame(0x01, first), frame(0x80, second)].concat();
    assert_eq!(decode(&bytes, 100).unwrap(), ["Part", "Text(\"α\")"]);
}

#[test]
fn close_codes_are_read() {
    assert_eq!(one(&frame(0x88, b"")), "Close(None)");
    assert_eq!(one(&frame(0x88, b"\x03\xe8bye")), "Close(Some(1000))");
}

#[test]
fn what_is_written_in_place_has_the_head_of_its_length() {
    for length in [0, 125, 126, 65_535, 65_536] {
        let (mut written, mut whole) = (b"before".to_vec(), b"before".to_vec());
        append_written(&mut written, |out| out.extend(vec![b'x'; length]));
        append_text(&mut whole, &vec![b'x'; length]);
        assert!(written == whole, "{length}");
    }
}

proptest! {
    /// Whatever tungstenite's client writes, whole or in pieces, is read; and whatever is written
    /// here, it reads.
    #[test]
    fn tungstenite_and_this_understand_each_other(
        texts in prop::collection::vec(".{0,300}", 1..8),
        part in 1_usize..400,
    ) {
        let mut wire = std::io::Cursor::new(Vec::new());
        let limits = Some(WebSocketConfig::default());
        let mut client = WebSocketContext::new(Role::Client, limits);
        for text in &texts {
            client.write(&mut wire, tungstenite::Message::text(text.clone())).unwrap();
        }
        client.flush(&mut wire).unwrap();
        let mut decoder = Decoder::new(10_000);
        let (mut arrived, mut read, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for part in wire.into_inner().chunks(part) {
            arrived.extend_from_slice(part);
            while let Some((event, length)) = decoder.next(&mut arrived).unwrap() {
                let Event::Text(text) = event else { panic!("{event:?}") };
                append_text(&mut out, text.as_bytes());
                read.push(text.into_owned());
                arrived.drain(..length);
            }
        }
        prop_assert_eq!(&read, &texts);

        let mut wire = std::io::Cursor::new(out);
        let mut client = WebSocketContext::new(Role::Client, limits);
        for text in &texts {
            let message = client.read(&mut wire).unwrap();
            prop_assert_eq!(message.to_text().unwrap(), text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::new(MOST);
        let mut at = 0;
        while let Ok(Some((_, length))) = decoder.next(&mut bytes[at..]) {
            at += length;
        }
    }
}
