//! Writes JSON text straight into a buffer; pages of a thousand pull requests need no tree of values.

use std::fmt::Write as _;

use super::random::Commit;
use super::time::Time;

/// A JSON text under construction; commas are put where they belong.
#[derive(Default)]
pub(crate) struct Json {
    out: String,
    has_item: bool,
}

impl Json {
    /// An empty text with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Json {
        Json { out: String::with_capacity(capacity), has_item: false }
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn separate(&mut self) {
        if self.has_item {
            self.out.push(',');
        }
        self.has_item = true;
    }

    /// Starts a member; its value must follow.
    pub(crate) fn key(&mut self, name: &str) -> &mut Json {
        self.separate();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.has_item = false;
        self
    }

    /// Writes an object.
    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.nest('{', '}', fill);
    }

    /// Writes an array.
    pub(crate) fn array(&mut self, fill: impl FnOnce(&mut Json)) {
        self.nest('[', ']', fill);
    }

    fn nest(&mut self, open: char, close: char, fill: impl FnOnce(&mut Json)) {
        self.separate();
        self.out.push(open);
        self.has_item = false;
        fill(self);
        self.out.push(close);
        self.has_item = true;
    }

    /// Writes a value that is JSON already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.separate();
        self.out.push_str(text);
    }

    /// Writes ready-made members (`"a":1,"b":2`) into the open object.
    pub(crate) fn members(&mut self, text: &str) {
        if !text.is_empty() {
            self.separate();
            self.out.push_str(text);
        }
    }

    /// Writes a text.
    pub(crate) fn text(&mut self, value: &str) {
        self.separate();
        escape(value, &mut self.out);
    }

    /// Writes a member that is a text.
    pub(crate) fn str(&mut self, name: &str, value: &str) -> &mut Json {
        self.key(name).text(value);
        self
    }

    /// Writes a member that is a text given in pieces; no piece may need escaping.
    pub(crate) fn plain(&mut self, name: &str, pieces: &[&str]) -> &mut Json {
        self.key(name).separate();
        self.out.push('"');
        for piece in pieces {
            self.out.push_str(piece);
        }
        self.out.push('"');
        self
    }

    /// Writes a member that is a whole number.
    pub(crate) fn int(&mut self, name: &str, value: impl Into<i64>) -> &mut Json {
        self.key(name).separate();
        let _ = write!(self.out, "{}", value.into());
        self
    }

    /// Writes a member that is true or false.
    pub(crate) fn bool(&mut self, name: &str, value: bool) -> &mut Json {
        self.key(name).raw(if value { "true" } else { "false" });
        self
    }

    /// Writes a member that is null.
    pub(crate) fn null(&mut self, name: &str) -> &mut Json {
        self.key(name).raw("null");
        self
    }

    /// Writes a member that is a time.
    pub(crate) fn time(&mut self, name: &str, at: Time) -> &mut Json {
        self.key(name).separate();
        self.out.push('"');
        at.write(&mut self.out);
        self.out.push('"');
        self
    }

    /// Writes a member that is a commit hash.
    pub(crate) fn commit(&mut self, name: &str, seed: u64, commit: Commit) -> &mut Json {
        self.key(name).separate();
        self.out.push('"');
        commit.write(seed, &mut self.out);
        self.out.push('"');
        self
    }
}

/// Appends `value` as a JSON string.
pub(crate) fn escape(value: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in value.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&value[from..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
        from = at + 1;
    }
    out.push_str(&value[from..]);
    out.push('"');
}

/// `value` as a JSON string.
pub(crate) fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    escape(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_parser_reads() {
        let mut json = Json::default();
        json.object(|json| {
            json.str("a", "q\" \\ \u{1} é\n").int("b", -5).null("c").bool("d", true);
            json.key("e").array(|json| {
                json.text("x");
                json.object(|_| {});
            });
        });
        let read: serde_json::Value = serde_json::from_str(&json.finish()).unwrap();
        let want = serde_json::json!({"a": "q\" \\ \u{1} é\n", "b": -5, "c": null, "d": true, "e": ["x", {}]});
        assert_eq!(read, want);
    }
}
