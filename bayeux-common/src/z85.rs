//! Z85, ZeroMQ's base 85 (RFC 32), extended to lengths that are not a multiple of four.
//!
//! A tail of n bytes is written as n + 1 digits, as CometD's binary extension does.

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Text that is not Z85.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// A character outside the alphabet, at the given offset.
    #[error("character {0} is not a Z85 digit")]
    Digit(usize),
    /// Five digits that stand for more than 32 bits, or a single digit left over.
    #[error("the digits from {0} do not stand for whole bytes")]
    Range(usize),
}

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(4) * 5);
    for chunk in bytes.chunks(4) {
        let mut padded = [0; 4];
        padded[..chunk.len()].copy_from_slice(chunk);
        let mut number = u32::from_be_bytes(padded);
        let mut digits = [0; 5];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(number % 85) as usize];
            number /= 85;
        }
        text.extend(digits[..=chunk.len()].iter().copied().map(char::from));
    }
    text
}

/// Decodes `text`.
///
/// # Errors
///
/// When `text` has a character or a length that [`encode`] cannot have produced.
pub fn decode(text: &str) -> Result<Vec<u8>, Z85Error> {
    let mut bytes = Vec::with_capacity(text.len() * 4 / 5);
    for (index, chunk) in text.as_bytes().chunks(5).enumerate() {
        let offset = index * 5;
        if chunk.len() == 1 {
            return Err(Z85Error::Range(offset));
        }
        let mut number = 0_u64;
        for place in 0..5 {
            let digit = match chunk.get(place) {
                Some(byte) => value(*byte).ok_or(Z85Error::Digit(offset + place))?,
                None => 84,
            };
            number = number * 85 + digit;
        }
        let number = u32::try_from(number).map_err(|_| Z85Error::Range(offset))?;
        bytes.extend_from_slice(&number.to_be_bytes()[..chunk.len() - 1]);
    }
    Ok(bytes)
}

fn value(byte: u8) -> Option<u64> {
    DIGITS.iter().position(|digit| *digit == byte).map(|position| position as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specifications_vector() {
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B];
        assert_eq!(encode(&bytes), "HelloWorld");
        assert_eq!(decode("HelloWorld").unwrap(), bytes);
    }

    #[test]
    fn bad_text_is_an_error() {
        assert_eq!(decode("Hell\u{7f}"), Err(Z85Error::Digit(4)));
        assert_eq!(decode("a"), Err(Z85Error::Range(0)));
        assert_eq!(decode("#####"), Err(Z85Error::Range(0)));
        assert!(decode("é").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_read_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn any_text_is_decoded_or_refused(text: String) {
            let _ = decode(&text);
        }
    }
}
