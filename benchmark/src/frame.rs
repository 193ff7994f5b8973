//! WebSocket frames (RFC 6455, section 5.2), as far as a load generator needs them: whole, and
//! masked with the key 0, which changes nothing.

/// A frame that has arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Close,
    /// Pings, pongs and what else there is.
    Other,
}

/// Which end a frame is of; a client's are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// Makes the frame of a text message.
pub(crate) fn text(role: Role, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    append_text(&mut frame, role, payload);
    frame
}

/// Makes the frame of a text message, after what is there.
pub(crate) fn append_text(frame: &mut Vec<u8>, role: Role, payload: &[u8]) {
    let mask = if role == Role::Client { 0x80 } else { 0 };
    frame.push(0x81);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.push(mask | length),
        (_, Ok(length)) => {
            frame.push(mask | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(mask | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if role == Role::Client {
        frame.extend([0; 4]);
    }
    frame.extend(payload);
}

/// Takes the first frame off `bytes`, with what follows it; none when it is not whole yet.
pub(crate) fn split(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match head[1] & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        length => (usize::from(length), rest),
    };
    let is_masked = head[1] & 0x80 != 0;
    let rest = if is_masked { rest.get(4..)? } else { rest };
    let (payload, rest) = rest.split_at_checked(length)?;
    let kind = match head[0] & 0x0f {
        1 => Kind::Text,
        8 => Kind::Close,
        _ => Kind::Other,
    };
    Some((Frame { kind, payload }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_size_come_back_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            for role in [Role::Client, Role::Server] {
                let mut bytes = text(role, &payload);
                assert_eq!(split(&bytes[..bytes.len() - 1]), None);
                bytes.push(7);
                let frame = Frame { kind: Kind::Text, payload: &payload };
                assert_eq!(split(&bytes), Some((frame, &[7][..])));
            }
        }
    }
}
