//! The `\d` family. In: the server's metadata. Out: lists laid out like any result.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::super::client::{Client, Relation};
use super::super::failure::{Failure, Outcome};
use super::command::{Command, Kinds};

/// Schemas whose tables are about tables: `\d` leaves them out.
const SYSTEM_SCHEMAS: [&str; 2] = ["information_schema", "pg_catalog"];

/// The list that `command` asks for; none if it asks for something else.
pub async fn list(client: &mut Client, command: &Command) -> Outcome<Option<RecordBatch>> {
    let table = match command {
        Command::Catalogs => {
            let rows = client.catalogs().await?.into_iter().map(|name| vec![name]);
            columns(&["catalog"], rows)
        }
        Command::Schemas => {
            let rows = client
                .schemas()
                .await?
                .into_iter()
                .map(|(catalog, schema)| vec![catalog, schema]);
            columns(&["catalog", "schema"], rows)
        }
        Command::Relations(kinds) => {
            let relations = client.relations(false).await?;
            let shown = relations.into_iter().filter(|r| wanted(r, *kinds));
            columns(
                &["catalog", "schema", "name", "type"],
                shown.map(|r| vec![r.catalog, r.schema, r.name, r.kind.to_lowercase()]),
            )
        }
        Command::Describe(name) => {
            let relation = find(client.relations(true).await?, name)?;
            let row = |c: super::super::client::Column| {
                vec![
                    c.name,
                    c.data_type,
                    if c.nullable { "" } else { "not null" }.to_owned(),
                ]
            };
            columns(
                &["column", "type", "nullable"],
                relation.columns.into_iter().map(row),
            )
        }
        _ => return Ok(None),
    };
    table.map(Some)
}

/// Whether a relation is about relations.
pub fn is_system(relation: &Relation) -> bool {
    SYSTEM_SCHEMAS.contains(&relation.schema.as_str())
}

fn wanted(relation: &Relation, kinds: Kinds) -> bool {
    let view = relation.kind.to_ascii_uppercase().contains("VIEW");
    let system = is_system(relation);
    match kinds {
        Kinds::All => !system,
        Kinds::Tables => !system && !view,
        Kinds::Views => !system && view,
    }
}

/// The one relation that `name` (`table`, `schema.table` or `catalog.schema.table`) means.
fn find(relations: Vec<Relation>, name: &str) -> Outcome<Relation> {
    let parts = name_parts(name);
    let matches = |r: &&Relation| {
        let full = [&r.catalog, &r.schema, &r.name];
        let same = |(said, is): (&(String, bool), &&String)| {
            if said.1 {
                said.0 == **is
            } else {
                said.0.eq_ignore_ascii_case(is)
            }
        };
        parts.len() <= full.len() && parts.iter().rev().zip(full.iter().rev()).all(same)
    };
    let found: Vec<&Relation> = relations.iter().filter(matches).collect();
    match found.as_slice() {
        [] => Err(Failure::query(format!("no table {name} (\\d lists the tables)"))),
        [one] => Ok((*one).clone()),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|r| format!("{}.{}.{}", r.catalog, r.schema, r.name))
                .collect();
            // The same table may be reachable under several spellings; a listing has them in order of
            // preference only if one of them is not of a system schema.
            match several
                .iter()
                .filter(|r| !SYSTEM_SCHEMAS.contains(&r.schema.as_str()))
                .collect::<Vec<_>>()[..]
            {
                [one] => Ok((**one).clone()),
                _ => Err(Failure::query(format!(
                    "{name} is ambiguous: {}",
                    names.join(", ")
                ))),
            }
        }
    }
}

/// A dotted name in parts, and whether each was quoted.
fn name_parts(name: &str) -> Vec<(String, bool)> {
    let mut parts = vec![(String::new(), false)];
    let mut quoted = false;
    for c in name.chars() {
        match (c, parts.last_mut()) {
            ('"', Some(part)) => {
                quoted = !quoted;
                part.1 = true;
            }
            ('.', _) if !quoted => parts.push((String::new(), false)),
            (c, Some(part)) => part.0.push(c),
            (_, None) => {}
        }
    }
    parts
}

fn columns(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Outcome<RecordBatch> {
    let mut columns = vec![Vec::new(); names.len()];
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    let arrays = columns
        .into_iter()
        .map(|texts| Arc::new(StringArray::from(texts)) as ArrayRef);
    RecordBatch::try_from_iter(names.iter().copied().zip(arrays))
        .map_err(|e| Failure::query(format!("the list cannot be laid out: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(schema: &str, name: &str, kind: &str) -> Relation {
        Relation {
            catalog: "main".into(),
            schema: schema.into(),
            name: name.into(),
            kind: kind.into(),
            columns: Vec::new(),
        }
    }

    #[test]
    fn names_find_their_table() {
        let all = || {
            vec![
                relation("public", "t", "TABLE"),
                relation("other", "T", "VIEW"),
                relation("public", "a.b", "TABLE"),
            ]
        };
        assert_eq!(find(all(), "other.t").unwrap().schema, "other");
        assert_eq!(find(all(), "main.public.T").unwrap().schema, "public");
        assert_eq!(find(all(), "\"T\"").unwrap().schema, "other");
        assert_eq!(find(all(), "public.\"a.b\"").unwrap().name, "a.b");
        assert!(
            find(all(), "t")
                .unwrap_err()
                .message
                .contains("ambiguous: main.public.t, main.other.T")
        );
        assert!(find(all(), "x").unwrap_err().message.contains("no table x"));
        assert!(find(all(), "a.b.c.d").is_err());
    }

    #[test]
    fn tables_and_views_are_told_apart() {
        let view = relation("public", "v", "VIEW");
        let table = relation("public", "t", "BASE TABLE");
        let system = relation("information_schema", "tables", "VIEW");
        assert!(wanted(&view, Kinds::All) && wanted(&view, Kinds::Views) && !wanted(&view, Kinds::Tables));
        assert!(wanted(&table, Kinds::All) && !wanted(&table, Kinds::Views) && wanted(&table, Kinds::Tables));
        assert!(!wanted(&system, Kinds::All) && !wanted(&system, Kinds::Views));
    }
}
