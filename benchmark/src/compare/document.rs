//! The parts of a document that are written by this program, between marks, and no other.

use crate::Result;

/// Puts a text between the marks of this name, and leaves everything else as it is.
pub(crate) fn replace(document: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = marks(name);
    let missing = |mark: &str| format!("the document has no line {mark:?}: add it");
    let (before, rest) = document.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    Ok(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

fn marks(name: &str) -> (String, String) {
    (
        format!("<!-- begin: {name} (written by `benchmark compare`) -->"),
        format!("<!-- end: {name} -->"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_marks_is_replaced_and_nothing_else() {
        let document = "# Title\n\n<!-- begin: a (written by `benchmark compare`) -->\nold\n<!-- end: a -->\n\
                        by hand\n<!-- begin: b (written by `benchmark compare`) -->\n<!-- end: b -->\n";
        let replaced = replace(document, "a", "new\n").unwrap();
        assert_eq!(replaced, document.replace("\nold\n", "\n\nnew\n\n"));
        assert_eq!(replace(&replaced, "a", "new").unwrap(), replaced);
    }

    #[test]
    fn a_missing_mark_is_named() {
        let error = replace("text", "bars", "new").unwrap_err().to_string();
        assert!(error.contains("begin: bars"), "{error}");
        let half = "<!-- begin: bars (written by `benchmark compare`) -->";
        let error = replace(half, "bars", "new").unwrap_err().to_string();
        assert!(error.contains("end: bars"), "{error}");
    }
}
