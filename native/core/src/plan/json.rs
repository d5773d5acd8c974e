//! Reading values of a document, each with an error that names its field.

use serde_json::{Map, Value};

use crate::dims::Dims;
use crate::error::{Error, Result};

static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// A list.
pub(super) fn list<'a>(value: Option<&'a Value>, field: &str) -> Result<&'a [Value]> {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| Error::invalid(format!("{field} must be a list")))
}

/// One integer of at least `minimum` per dimension.
pub(super) fn dims(value: Option<&Value>, field: &str, minimum: usize) -> Result<Dims> {
    let numbers: Option<Vec<usize>> = list(value, field)?
        .iter()
        .map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n >= minimum))
        .collect();
    let wrong = || Error::invalid(format!("{field} must hold integers of at least {minimum}"));
    Dims::new(&numbers.ok_or_else(wrong)?)
}

/// A name, or an object with a name and maybe a configuration.
pub(super) fn named<'a>(
    value: Option<&'a Value>,
    field: &str,
) -> Result<(&'a str, &'a Map<String, Value>)> {
    match value {
        Some(Value::String(name)) => Ok((name, &NOTHING)),
        Some(Value::Object(object)) => {
            let name = object.get("name").and_then(Value::as_str);
            let configuration = object.get("configuration").and_then(Value::as_object);
            name.map(|name| (name, configuration.unwrap_or(&NOTHING)))
                .ok_or_else(|| Error::invalid(format!("{field} must have a name")))
        }
        _ => Err(Error::invalid(format!("{field} must be a name or an object with one"))),
    }
}

/// Whether something unknown may be left out.
pub(super) fn may_be_ignored(value: &Value) -> bool {
    value.get("must_understand") == Some(&Value::Bool(false))
}

/// An integer within bounds, or a default.
pub(super) fn integer(
    configuration: &Map<String, Value>,
    field: &str,
    default: i64,
    bounds: std::ops::RangeInclusive<i64>,
) -> Result<i64> {
    match configuration.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_i64().filter(|n| bounds.contains(n)).ok_or_else(|| {
            Error::unsupported(format!(
                "{field} is {value}, this engine takes {} to {}",
                bounds.start(),
                bounds.end()
            ))
        }),
    }
}
