//! Changes to JSON answers on their way out.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use crate::FEDERATED_ISSUER;
use crate::call::Call;
use crate::faults::Edit;
use crate::faults::openid::FOREIGN_ISSUER;
use crate::keys::Key;

/// What a fault does to a JSON answer; nothing if there is nothing to change.
pub fn edit(edit: &Edit, call: &Call, body: &Bytes) -> Option<Bytes> {
    let mut json: Value = serde_json::from_slice(body).ok()?;
    let fields = json.as_object_mut()?;
    match edit {
        Edit::Remove(name) => {
            fields.shift_remove(name);
        }
        Edit::Set(name, value) => {
            let before = fields.insert(name.clone(), value.clone());
            // The message for the user names the page too.
            if let (Some(Value::String(before)), Some(text), Some(Value::String(message))) =
                (before, value.as_str(), fields.get_mut("message"))
            {
                *message = message.replace(&before, text);
            }
        }
        Edit::Loop => {
            let own = own_address(call);
            fields.insert("@odata.nextLink".to_owned(), json!(own));
        }
        Edit::Addresses(beginning) => {
            let addresses = fields
                .iter_mut()
                .filter(|(name, _)| *name != "issuer")
                .filter_map(|(_, value)| match value {
                    Value::String(address) => Some(address),
                    _ => None,
                });
            for address in addresses {
                if let Some(path) = address.strip_prefix(&call.base) {
                    *address = format!("{beginning}{path}");
                }
            }
        }
        Edit::WithoutScope(left_out) => leave_scope_out(fields, left_out)?,
        Edit::OfEachKey(name, value) => {
            let keys = fields.get_mut("keys")?.as_array_mut()?;
            for key in keys.iter_mut().filter_map(Value::as_object_mut) {
                match value {
                    Some(value) => key.insert((*name).to_owned(), json!(value)),
                    None => key.shift_remove(*name),
                };
            }
        }
        Edit::StrangeKeys => {
            let stranger = Key::from_pem(FEDERATED_ISSUER).ok()?;
            fields.insert("keys".to_owned(), json!([stranger.jwk(FOREIGN_ISSUER)]));
        }
        Edit::Half => return Some(body.slice(..body.len() / 2)),
    }
    Some(Bytes::from(json.to_string()))
}

fn leave_scope_out(fields: &mut Map<String, Value>, left_out: &str) -> Option<()> {
    let scope = fields.get("scope")?.as_str()?;
    let is_left = |word: &&str| {
        !word.eq_ignore_ascii_case(left_out)
            && !word
                .rsplit('/')
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(left_out))
    };
    let rest: Vec<&str> = scope.split_whitespace().filter(is_left).collect();
    let rest = rest.join(" ");
    fields.insert("scope".to_owned(), json!(rest));
    Some(())
}

fn own_address(call: &Call) -> String {
    let query: Vec<String> = call
        .query
        .fields()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{}{mark}{}", call.base, call.path, query.join("&"))
}
