//! Scripts become spans.

use crate::filter::DataFilter;

/// Writes `<script` as `<span` and `script>` as `span>`, in whatever case they come.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "NoScriptsFilter")]
pub struct NoScripts;

impl DataFilter for NoScripts {
    fn filter_text(&self, text: String) -> Option<String> {
        let text = replace(&text, "<script", "<span");
        Some(replace(&text, "script>", "span>"))
    }
}

/// Replaces every `from`, which is in lower case, whatever the case of the text.
fn replace(text: &str, from: &str, to: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (at, _) in lower.match_indices(from) {
        replaced.push_str(&text[end..at]);
        replaced.push_str(to);
        end = at + from.len();
    }
    replaced.push_str(&text[end..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_lose_their_name_in_any_case() {
        let filtered = NoScripts.filter_text("é<SCRIPT src=x></Script>".to_owned());
        assert_eq!(filtered.as_deref(), Some("é<span src=x></span>"));
    }
}
