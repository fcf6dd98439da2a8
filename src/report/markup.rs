//! Text from Azure DevOps inside Markdown: shown as it is, obeyed nowhere.

use std::fmt::Write as _;

use super::plain::plain;

/// Returns `text` on one line with every sign escaped that Markdown, or a forge that renders it, would obey: emphasis,
/// links, images, HTML, tables, mentions, references to issues.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '!' | '|' | '~' | ':' | '@'
            | '$' | '^' | '=' => escaped.extend(['\\', c]),
            // `www.` makes a link by itself.
            '.' if escaped.len() >= 3
                && escaped.as_bytes()[escaped.len() - 3..].eq_ignore_ascii_case(b"www") =>
            {
                escaped.push_str("\\.");
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns a link to an address that may be followed.
pub(super) fn link(text: &str, address: Option<&str>) -> String {
    let mut link = escape(text);
    if let Some(address) = address {
        link = format!("[{link}](<");
        let is_harmful =
            |c: char| matches!(c, '<' | '>' | '\\' | '|' | '`') || c.is_control() || c == ' ';
        for c in address.chars() {
            if is_harmful(c) {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(link, "%{byte:02X}");
                }
            } else {
                link.push(c);
            }
        }
        link.push_str(">)");
    }
    link
}

/// Returns a block of code that its content cannot end.
pub(super) fn code_block(language: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        assert_eq!(
            escape("a|b `c` <img src=x> @all #1 www.x.y"),
            r"a\|b \`c\` &lt;img src\=x&gt; \@all \#1 www\.x.y"
        );
        assert_eq!(escape("[x](http://e)\r\n# y"), r"\[x\](http\://e)  \# y");
        assert_eq!(escape("release/1.2"), "release/1.2");
    }

    #[test]
    fn addresses_stay_inside_their_link() {
        assert_eq!(link("!1", Some("https://x/a b>)")), r"[\!1](<https://x/a%20b%3E)>)");
        assert_eq!(link("!1", None), r"\!1");
    }

    #[test]
    fn code_cannot_end_its_block() {
        assert_eq!(code_block("json", "```"), "````json\n```\n````");
    }
}
