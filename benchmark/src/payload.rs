//! What the messages of a load hold: their number, so that a loss or a swap is seen, and filling.

use memchr::memmem;

use crate::Result;

/// How many digits a message's number has, at the beginning of its payload.
const DIGITS: usize = 10;

/// Makes a payload: a JSON string of `size` bytes that begins with the message's number.
pub(crate) fn data(number: u64, size: usize) -> Result<String> {
    let fill = size.checked_sub(DIGITS).ok_or("a payload has at least 10 bytes: raise --size")?;
    Ok(format!("\"{number:0DIGITS$}{}\"", "x".repeat(fill)))
}

/// Finds the numbers in the payloads of delivered messages; what surrounds them is not looked at.
pub(crate) fn numbers(mut text: &[u8]) -> impl Iterator<Item = u64> {
    const START: &[u8] = b"\"data\":\"";
    std::iter::from_fn(move || {
        let at = memmem::find(text, START)? + START.len();
        let digits = text.get(at..at + DIGITS)?;
        text = &text[at + DIGITS..];
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let one = format!(r#"[{{"channel":"/a","data":{}}}]"#, data(7, 100).unwrap());
        assert_eq!(one.len(), r#"[{"channel":"/a","data":""}]"#.len() + 100);
        let two = format!(r#"{one}[{{"data":{},"channel":"/a"}}]"#, data(8, 10).unwrap());
        assert_eq!(numbers(two.as_bytes()).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(numbers(br#"[{"successful":true}]"#).count(), 0);
        assert_eq!(numbers(br#"[{"data":"0000"#).count(), 0);
    }

    #[test]
    fn a_payload_has_place_for_its_number() {
        assert!(data(0, 9).is_err());
    }
}
