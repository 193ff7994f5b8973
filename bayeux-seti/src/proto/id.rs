//! As what a node's Seti is known on the wire.

/// Returns the Seti id of the node with this URL: all but ASCII letters and digits become `_`, and of several in a
/// row there is one. Different URLs may have the same.
pub(crate) fn seti_id(url: &str) -> String {
    let mut id = String::with_capacity(url.len());
    for character in url.chars() {
        if character.is_ascii_alphanumeric() {
            id.push(character);
        } else if !id.ends_with('_') {
            id.push('_');
        }
    }
    id
}

/// Returns the channel of the node with this URL.
pub(crate) fn channel_of(url: &str) -> String {
    format!("/seti/{}", seti_id(url))
}

/// The channel of all nodes.
pub(crate) const ALL: &str = "/seti/all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_as_recorded() {
        for (url, id) in [
            ("http://localhost:8080/cometd", "http_localhost_8080_cometd"),
            ("http://h:1/cometd/", "http_h_1_cometd_"),
            ("HTTP://H:1/Cometd", "HTTP_H_1_Cometd"),
            ("http://h:1/été", "http_h_1_t_"),
        ] {
            assert_eq!(seti_id(url), id);
        }
    }

    #[test]
    fn different_nodes_may_have_the_same_id() {
        assert_eq!(seti_id("http://a-b.com/"), seti_id("http://a.b.com/"));
    }
}
