//! Columns from the names of folders, Hive's way: `year=2024/month=05/x.parquet`.
//!
//! In: files and the folder that they are below. Out: the columns with their types. It reads names
//! only. A type is narrower than text only if every value is written the one way in which that type
//! is printed: DataFusion looks for the folder `month=1` when asked for month 1, and would not find
//! `month=01`.

use arrow::datatypes::DataType;
use object_store::ObjectMeta;
use percent_encoding::percent_decode_str;

use super::files::relative;
use super::location::readable;
use crate::error::{Error, Result};

/// The partition columns of files below `folder`: those found, which must be those given, if any are.
///
/// # Errors
/// `Data` if two files lie in differently named folders, or in others than given.
pub fn columns(
    folder: &str,
    files: &[ObjectMeta],
    given: Option<&[String]>,
) -> Result<Vec<(String, DataType)>> {
    let mut names: Option<Vec<String>> = None;
    let mut values: Vec<Vec<String>> = Vec::new();
    for meta in files {
        let pairs = pairs(folder, meta.location.as_ref());
        let mine: Vec<String> = pairs.iter().map(|(name, _)| name.clone()).collect();
        match (&names, given) {
            (_, Some(given)) if mine.len() < given.len() || mine[..given.len()] != *given => {
                return Err(Error::data(format!(
                    "{}: lies in {}, expected {} as the partition columns say",
                    readable(meta.location.as_ref()),
                    written(&mine),
                    written(given)
                )));
            }
            (Some(first), None) if *first != mine => {
                return Err(Error::data(format!(
                    "{} lies in {}, but {} in {}: expected the same partition columns",
                    readable(files[0].location.as_ref()),
                    written(first),
                    readable(meta.location.as_ref()),
                    written(&mine)
                )));
            }
            _ => {}
        }
        let names = names.get_or_insert_with(|| given.map_or(mine, <[String]>::to_vec));
        values.resize(names.len(), Vec::new());
        for (column, (_, value)) in values.iter_mut().zip(pairs) {
            column.push(value);
        }
    }
    let names = names.unwrap_or_default();
    Ok(names
        .into_iter()
        .zip(values.iter().map(|values| type_of(values)))
        .collect())
}

/// The leading `name=value` folders of a file.
fn pairs(folder: &str, path: &str) -> Vec<(String, String)> {
    let Some((folders, _file)) = relative(folder, path).and_then(|path| path.rsplit_once('/')) else {
        return Vec::new();
    };
    folders
        .split('/')
        .map_while(|segment| segment.split_once('='))
        .map(|(name, value)| {
            let decoded = percent_decode_str(value).decode_utf8();
            (
                name.to_owned(),
                decoded.map_or_else(|_| value.to_owned(), |text| text.into_owned()),
            )
        })
        .collect()
}

fn type_of(values: &[String]) -> DataType {
    let all = |fits: fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| fits(value));
    if all(|value| {
        value
            .parse::<i64>()
            .is_ok_and(|number| number.to_string() == value)
    }) {
        DataType::Int64
    } else if all(|value| value.len() == 10 && chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok()) {
        DataType::Date32
    } else {
        DataType::Utf8
    }
}

fn written(names: &[String]) -> String {
    match names {
        [] => "no partition folder".to_owned(),
        names => names.iter().map(|name| format!("{name}=.../")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metas(paths: &[&str]) -> Vec<ObjectMeta> {
        let meta = |path: &&str| ObjectMeta {
            location: object_store::path::Path::parse(path).unwrap(),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: 1,
            e_tag: None,
            version: None,
        };
        paths.iter().map(meta).collect()
    }

    fn found(paths: &[&str]) -> Vec<(String, DataType)> {
        columns("file/t", &metas(paths), None).unwrap()
    }

    #[test]
    fn types_follow_the_values() {
        let paths = [
            "file/t/y=2024/d=2024-01-02/k=01/x",
            "file/t/y=2023/d=2023-01-02/k=a%2Fb/x",
        ];
        assert_eq!(
            found(&paths),
            [
                ("y".into(), DataType::Int64),
                ("d".into(), DataType::Date32),
                ("k".into(), DataType::Utf8)
            ]
        );
        assert_eq!(found(&["file/t/m=01/x"]), [("m".into(), DataType::Utf8)]);
        assert_eq!(found(&["file/t/a/m=1/x", "file/t/x"]), []);
    }

    #[test]
    fn files_that_disagree_are_named() {
        let files = metas(&["file/t/y=1/x", "file/t/x"]);
        let error = columns("file/t", &files, None).unwrap_err();
        assert_eq!(
            error.message(),
            "/t/y=1/x lies in y=.../, but /t/x in no partition folder: expected the same partition columns"
        );
        let error = columns("file/t", &files, Some(&["y".into()])).unwrap_err();
        assert_eq!(
            error.message(),
            "/t/x: lies in no partition folder, expected y=.../ as the partition columns say"
        );
    }
}
