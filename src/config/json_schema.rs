//! The JSON schema of the config file, for editors.

use serde_json::{Map, Value, json};

use super::fields::{self, Field, Kind};

/// Returns the schema (draft 2020-12), made from the list of keys.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = object(fields::ROOT);
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".to_owned(), json!("adolake.toml"));
    }
    schema
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.key.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required()).map(|field| field.key).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn property(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Text | Kind::Url => json!({ "type": "string" }),
        Kind::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Duration => json!({ "type": "string", "pattern": "^([0-9]+[smhdw])+$" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Solutions => json!({
            "type": "array",
            "items": { "oneOf": [{ "type": "string" }, object(fields::SOLUTION)] },
        }),
        Kind::Secret => secret(),
        Kind::Options => json!({
            "type": "object",
            "additionalProperties": { "oneOf": [{ "type": ["string", "boolean", "integer"] }, secret()] },
        }),
        Kind::Table(inner) => object(inner),
        Kind::Tables(inner) => json!({ "type": "array", "items": object(inner) }),
    };
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(field.about));
        if let Some(default) = default(field) {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

fn secret() -> Value {
    let mut schema = object(fields::SECRET);
    if let Value::Object(schema) = &mut schema {
        schema.insert("minProperties".to_owned(), json!(1));
        schema.insert("maxProperties".to_owned(), json!(1));
    }
    schema
}

/// The defaults are TOML values that JSON writes alike.
fn default(field: &Field) -> Option<Value> {
    if field.is_required() { None } else { serde_json::from_str(field.default).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_in_the_schema() {
        fn walk(fields: &[Field]) {
            for field in fields {
                match field.kind {
                    Kind::Table(inner) | Kind::Tables(inner) => walk(inner),
                    _ if field.default.is_empty() || field.is_required() => {}
                    _ => assert!(default(field).is_some(), "{}", field.key),
                }
            }
        }
        walk(fields::ROOT);
    }
}
