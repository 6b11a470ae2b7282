//! Text from elsewhere, made safe for a terminal.

/// The most characters of a server's text that are shown.
pub const LONGEST: usize = 2000;

/// Puts foreign text on one line of at most `longest` characters. Line breaks become spaces; other control
/// characters, and those that reorder what a reader sees (Unicode UAX #9), are left out.
pub fn one_line(text: &str, longest: usize) -> String {
    let visible = text
        .chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => None,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => None,
            c => Some(c),
        })
        .take(longest.saturating_mul(4));
    let mut line = String::new();
    for c in visible {
        if c == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        line.push(c);
    }
    shorten(line.trim_end(), longest)
}

/// At most `longest` characters, with an ellipsis where something is missing.
pub fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(longest.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// The text of an HTML page, roughly: tags are left out, with all that stands in scripts and styles.
pub fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let element: String = tag
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect::<String>()
            .to_ascii_lowercase();
        rest = match element.as_str() {
            "script" | "style" => skip_past(tag, &format!("</{element}")),
            _ => tag,
        };
        rest = rest.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

/// What follows `end`, in any case; nothing if it does not occur.
fn skip_past<'a>(text: &'a str, end: &str) -> &'a str {
    let at = text.to_ascii_lowercase().find(end);
    at.and_then(|at| text.get(at + end.len()..)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_safe_and_short() {
        assert_eq!(
            one_line("AADSTS1: no.\r\nTrace ID: 2\r\n", 100),
            "AADSTS1: no. Trace ID: 2"
        );
        assert_eq!(
            one_line("\u{1b}[31mred\u{7} \u{202e}txt\u{2069}", 100),
            "[31mred txt"
        );
        assert_eq!(
            one_line(&"x".repeat(3000), LONGEST).chars().count(),
            LONGEST
        );
        assert_eq!(one_line(&" ".repeat(1 << 20), 10), "");
    }

    #[test]
    fn tags() {
        let html = "<html><STYLE>p{}</Style><p class='a'>Service <b>Unavailable</b><script>alert(1)</script>";
        assert_eq!(one_line(&without_tags(html), 100), "Service Unavailable");
        assert_eq!(without_tags("a < b"), "a  ");
        assert_eq!(without_tags("plain"), "plain");
    }
}
