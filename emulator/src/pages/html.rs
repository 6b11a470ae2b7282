//! HTML that cannot be forgotten to be escaped: text becomes markup only by way of [`html!`].

use std::fmt;

/// Markup.
#[derive(Clone, Debug, Default)]
pub struct Html(String);

impl Html {
    /// Markup that [`html!`] has put together.
    pub fn from_escaped(markup: String) -> Self {
        Self(markup)
    }

    /// The markup as text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(|Html(piece)| piece).collect())
    }
}

/// What can stand in markup: markup as it is, all else escaped.
pub trait Content {
    /// Writes it as markup.
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Content for Html {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Content for str {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.chars() {
            match char {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => fmt::Write::write_char(formatter, other)?,
            }
        }
        Ok(())
    }
}

impl Content for String {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().write(formatter)
    }
}

impl Content for u64 {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl<T: Content + ?Sized> Content for &T {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).write(formatter)
    }
}

/// Content on its way through the formatting machinery.
pub struct Escaped<'a, T: ?Sized>(pub &'a T);

impl<T: Content + ?Sized> fmt::Display for Escaped<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(formatter)
    }
}

/// Like `format!`, for [`Html`]: every argument is escaped unless it is markup itself.
macro_rules! html {
    ($template:literal $(, $argument:expr)* $(,)?) => {
        $crate::pages::html::Html::from_escaped(format!($template $(, $crate::pages::html::Escaped(&$argument))*))
    };
}
pub(super) use html;

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_escaped_and_markup_is_not() {
        let name = html!("<b>{}</b>", "a<b & 'c' \"d\"");
        assert_eq!(
            html!("<p title=\"{}\">{}</p>", "\"><script>", name).into_string(),
            "<p title=\"&quot;&gt;&lt;script&gt;\"><b>a&lt;b &amp; &#39;c&#39; &quot;d&quot;</b></p>"
        );
    }
}
