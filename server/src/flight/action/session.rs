//! SetSessionOptions, GetSessionOptions and CloseSession.
//!
//! `catalog` and `schema` are where bare table names are looked up; all others are the options of
//! `SET` and `SHOW`.

use std::collections::HashMap;

use arrow_flight::Action;
use bytes::Bytes;
use prost::Message;

use super::bare;
use crate::config::session::SessionOptions;
use crate::core::Core;
use crate::error::{Error, Kind, Result};
use crate::flight::caller::Caller;
use crate::flight::proto::{
    CloseSessionResult, CloseStatus, GetSessionOptionsRequest, GetSessionOptionsResult, OptionValue,
    SessionOptionValue, SetError, SetSessionOptionError, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use crate::session::Session;
use crate::sql::setting;

const CATALOG_OPTION: &str = "datafusion.catalog.default_catalog";
const SCHEMA_OPTION: &str = "datafusion.catalog.default_schema";

/// Sets options; those that could not be set come back with the reason.
///
/// # Errors
/// `Sql` if the request is not one.
pub fn set(caller: &Caller, action: &Action) -> Result<Bytes> {
    let request: SetSessionOptionsRequest = bare(action)?;
    let mut result = SetSessionOptionsResult::default();
    for (name, value) in request.session_options {
        if let Err(error) = set_one(&caller.session, &name, value.value) {
            tracing::info!(option = name, %error, "session option not set");
            let reason = match error.kind() {
                Kind::NotFound => SetError::InvalidName,
                Kind::Sql if !known(&caller.session, &name) => SetError::InvalidName,
                Kind::Sql => SetError::InvalidValue,
                _ => SetError::Error,
            };
            result
                .errors
                .insert(name, SetSessionOptionError { value: reason as i32 });
        }
    }
    Ok(result.encode_to_vec().into())
}

fn set_one(session: &Session, name: &str, value: Option<OptionValue>) -> Result<()> {
    let Some(value) = value else {
        return setting::reset(session, datafusion_name(name));
    };
    let text = match value {
        OptionValue::Text(text) => text,
        OptionValue::Flag(flag) => flag.to_string(),
        OptionValue::Whole(number) => number.to_string(),
        OptionValue::Number(number) => number.to_string(),
        OptionValue::Texts(list) => list.values.join(","),
    };
    let context = session.context();
    match name {
        "catalog" if context.catalog(&text).is_none() => {
            let names = context.catalog_names().join(", ");
            Err(Error::sql(format!(
                "option catalog: found {text:?}, expected one of {names}"
            )))
        }
        "schema" if !has_schema(session, &text) => Err(Error::sql(format!(
            "option schema: no schema {text:?} in the session's catalog"
        ))),
        _ => setting::set(session, datafusion_name(name), &text),
    }
}

fn has_schema(session: &Session, schema: &str) -> bool {
    let state = session.context().state();
    let catalog = &state.config_options().catalog.default_catalog;
    session
        .context()
        .catalog(catalog)
        .is_some_and(|catalog| catalog.schema(schema).is_some())
}

fn datafusion_name(name: &str) -> &str {
    match name {
        "catalog" => CATALOG_OPTION,
        "schema" => SCHEMA_OPTION,
        name => name,
    }
}

fn known(session: &Session, name: &str) -> bool {
    let entries = session.context().state().config_options().entries();
    SessionOptions::knows(name) || entries.iter().any(|entry| entry.key == datafusion_name(name))
}

/// All options of the session.
///
/// # Errors
/// `Sql` if the request is not one.
pub fn get(caller: &Caller, action: &Action) -> Result<Bytes> {
    let _: GetSessionOptionsRequest = bare(action)?;
    let session = &caller.session;
    let state = session.context().state();
    let catalog = &state.config_options().catalog;
    let text = |value: String| SessionOptionValue {
        value: Some(OptionValue::Text(value)),
    };
    let mut session_options: HashMap<String, SessionOptionValue> = HashMap::from([
        ("catalog".to_owned(), text(catalog.default_catalog.clone())),
        ("schema".to_owned(), text(catalog.default_schema.clone())),
    ]);
    for definition in SessionOptions::definitions() {
        session_options.insert(
            definition.name.to_owned(),
            text(session.show_option(definition.name)),
        );
    }
    for entry in state.config_options().entries() {
        if let Some(value) = entry.value {
            session_options.insert(entry.key, text(value));
        }
    }
    Ok(GetSessionOptionsResult { session_options }.encode_to_vec().into())
}

/// Ends the session.
///
/// # Errors
/// None.
pub fn close(core: &Core, caller: &Caller) -> Result<Bytes> {
    core.sessions.close(caller.session.id());
    Ok(CloseSessionResult {
        status: CloseStatus::Closed as i32,
    }
    .encode_to_vec()
    .into())
}
