//! Names as the older text formats can carry them.

use std::borrow::Cow;

/// Illegal characters as underscores; borrowed when there are none.
pub(crate) fn underscores(name: &str, is_legal: fn(&str) -> bool) -> Cow<'_, str> {
    if is_legal(name) {
        return Cow::Borrowed(name);
    }
    let mut written = String::with_capacity(name.len());
    for (index, char) in name.chars().enumerate() {
        let mut bytes = [0; 4];
        let char: &str = char.encode_utf8(&mut bytes);
        // What may not come first may still come later, so each is tried behind a letter.
        let legal = if index == 0 { is_legal(char) } else { is_legal(&format!("a{char}")) };
        written.push_str(if legal { char } else { "_" });
    }
    Cow::Owned(written)
}

/// Prometheus's `values` escaping: `U__`, then `_` doubled and every other character that is not
/// legal as its code point in hexadecimal between underscores.
pub(crate) fn values(name: &str) -> String {
    let mut written = String::from("U__");
    for (index, char) in name.chars().enumerate() {
        match char {
            '_' => written.push_str("__"),
            ':' | 'a'..='z' | 'A'..='Z' => written.push(char),
            '0'..='9' if index > 0 => written.push(char),
            other => {
                written.push('_');
                written.push_str(&format!("{:x}", u32::from(other)));
                written.push('_');
            }
        }
    }
    written
}
