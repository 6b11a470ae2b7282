//! `$filter`, as far as lists of applications and service principals need it: comparisons joined by `and`.

use serde_json::Value;

use super::GraphError;
use crate::call::Call;

/// One comparison.
struct Comparison {
    property: String,
    text: String,
    is_prefix: bool,
}

/// A `$filter`; an empty one lets everything pass.
pub struct Filter(Vec<Comparison>);

impl Filter {
    /// Reads `name eq 'text'`, `startswith(name,'text')` and `names/any(x:x eq 'text')`, on these properties alone.
    pub fn read(call: &Call, properties: &[&str]) -> Result<Self, GraphError> {
        let Some(text) = call.query.get("$filter") else {
            return Ok(Self(Vec::new()));
        };
        let refused = || {
            GraphError::bad_request(
                "Request_UnsupportedQuery",
                format!("Unsupported or invalid query filter clause specified: {text}"),
            )
        };
        let comparisons = text.split(" and ").map(|clause| {
            let comparison = Comparison::read(clause.trim())?;
            properties
                .contains(&comparison.property.as_str())
                .then_some(comparison)
        });
        let comparisons: Option<_> = comparisons.collect();
        comparisons.map(Self).ok_or_else(refused)
    }

    /// Whether an object passes.
    pub fn passes(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|comparison| match object.get(&comparison.property) {
                Some(Value::Array(values)) => values.iter().any(|value| comparison.fits(value)),
                Some(value) => comparison.fits(value),
                None => false,
            })
    }
}

impl Comparison {
    fn read(clause: &str) -> Option<Self> {
        let (property, text, is_prefix) = if let Some(rest) = clause.strip_prefix("startswith(") {
            let (property, text) = rest.strip_suffix(')')?.split_once(',')?;
            (property, text, true)
        } else if let Some((property, rest)) = clause.split_once("/any(") {
            let (variable, comparison) = rest.strip_suffix(')')?.split_once(':')?;
            let (compared, text) = comparison.split_once(" eq ")?;
            (compared.trim() == variable.trim()).then_some((property, text, false))?
        } else {
            let (property, text) = clause.split_once(" eq ")?;
            (property, text, false)
        };
        let text = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        Some(Self {
            property: property.trim().to_owned(),
            text: text.replace("''", "'"),
            is_prefix,
        })
    }

    /// Compares as Graph does, without regard to case.
    fn fits(&self, value: &Value) -> bool {
        let (value, text) = (
            value.as_str().unwrap_or_default().to_lowercase(),
            self.text.to_lowercase(),
        );
        if self.is_prefix {
            value.starts_with(&text)
        } else {
            value == text
        }
    }
}
