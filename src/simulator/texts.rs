//! Titles, descriptions and comments: mostly ordinary, some of the kind that breaks careless readers.

use super::random::Random;

const VERBS: [&str; 14] = [
    "Add", "Fix", "Remove", "Rework", "Speed up", "Document", "Test", "Simplify", "Harden",
    "Rename", "Upgrade", "Validate", "Cache", "Retry",
];
const THINGS: [&str; 20] = [
    "payment retries",
    "the login form",
    "currency rounding",
    "the invoice export",
    "webhook signatures",
    "session handling",
    "the nightly job",
    "order search",
    "address lookup",
    "the rate limiter",
    "VAT rules",
    "the mobile menu",
    "report filters",
    "feature flags",
    "the audit log",
    "image upload",
    "stock levels",
    "the refund flow",
    "error messages",
    "health checks",
];
const ENDS: [&str; 10] = [
    "",
    "",
    "",
    "",
    " (#4711)",
    " on slow networks",
    " for guests",
    " in Österreich",
    " after midnight",
    " again",
];

const HOSTILE: [&str; 16] = [
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=alert(1)> fix header",
    "=cmd|' /C calc'!A0",
    "+1-800-CALL: -2+3+cmd",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "Robert'); DROP TABLE pull_requests;--",
    "' OR '1'='1' --",
    "\"quoted\" and 'single' and `ticks`, comma; semicolon",
    "\u{202e}gnp.exe \u{202c} right to left",
    "שלום עולם — مرحبا بالعالم",
    "bell \u{7} and escape \u{1b}[31mred\u{1b}[0m",
    "tab\tand newline\nin a title",
    "emoji 🚀👩‍💻 and combining e\u{301}",
    "trailing backslash \\",
    "null and NULL and None and undefined",
    "{{7*7}} ${jndi:ldap://example.invalid/a} %s%n $(reboot)",
];

/// The title of a pull request.
pub(crate) fn title(random: &mut Random) -> String {
    if random.permille(25) {
        return (*random.pick(&HOSTILE)).to_owned();
    }
    let title = format!("{} {}{}", random.pick(&VERBS), random.pick(&THINGS), random.pick(&ENDS));
    if random.permille(3) { title.repeat(12).chars().take(400).collect() } else { title }
}

/// The description of a pull request; one in ten is longer than lists show.
pub(crate) fn description(random: &mut Random) -> String {
    match random.below(10) {
        0..=3 => String::new(),
        4 => {
            let part = format!(
                "{} {}. Größere Änderung, siehe Entwurf.\n\n",
                random.pick(&VERBS),
                random.pick(&THINGS)
            );
            part.repeat(9 + random.index(12)).chars().take(3_990).collect()
        }
        5 => format!(
            "{} <b>{}</b> & more\r\n- [ ] tested",
            random.pick(&VERBS),
            random.pick(&THINGS)
        ),
        _ => format!("{} {}{}", random.pick(&VERBS), random.pick(&THINGS), random.pick(&ENDS)),
    }
}

/// The path of a changed file.
pub(crate) fn path(random: &mut Random) -> String {
    const FOLDERS: [&str; 6] = ["src", "services/pay", "docs", "tests", "infra/Modules", "web ui"];
    const FILES: [&str; 6] =
        ["main.rs", "Program.cs", "README.md", "app.ts", "größe.sql", "a b.yml"];
    format!("/{}/{}", random.pick(&FOLDERS), random.pick(&FILES))
}

/// The last part of a source branch's name.
pub(crate) fn branch(random: &mut Random, number: u32) -> String {
    const STARTS: [&str; 5] = ["feature", "fix", "users/anna", "chore", "feature/müller"];
    format!("{}/{number}-{}", random.pick(&STARTS), random.pick(&["a", "retry", "export", "v2"]))
}
