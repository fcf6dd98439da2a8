//! Makes text from Azure DevOps safe to print.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Returns `text` without what could move the cursor, hide or turn around what follows: control characters become
/// spaces, direction marks and invisible separators go.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().filter(|c| !is_invisible(*c));
    Cow::Owned(shown.map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// Marks of direction, joiners and separators without a shape, and what is no sign at all.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fffe}' | '\u{ffff}'
    )
}

/// Returns what of `text` takes at most `width` columns, an ellipsis at the end where some was cut.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut room = width.saturating_sub(1);
    let mut short = String::new();
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        short.push(c);
    }
    short.push('…');
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_harmless() {
        assert_eq!(plain("plain prüf 日本"), "plain prüf 日本");
        assert_eq!(plain("a\u{1b}[31mred\r\nb"), "a [31mred  b");
        assert_eq!(plain("in\u{202e}vert\u{200b}ed"), "inverted");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 5), "日本…");
    }
}
