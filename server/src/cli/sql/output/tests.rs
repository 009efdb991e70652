//! Golden outputs of every format.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::reader::FileReader;

use super::*;

fn sample() -> RecordBatch {
    let price = Decimal128Array::from(vec![Some(12345), None, Some(-5)])
        .with_precision_and_scale(15, 2)
        .unwrap();
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, 22, 333]))),
        (
            "name",
            Arc::new(StringArray::from(vec![
                Some("a,b"),
                None,
                Some("say \"hé\"\n日本"),
            ])),
        ),
        ("price", Arc::new(price)),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(0), Some(20_000), None])),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(0),
                None,
                Some(1_500_000),
            ])),
        ),
        (
            "ok",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
        ("ratio", Arc::new(Float64Array::from(vec![0.5, f64::NAN, 1e300]))),
        ("list", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn layout(format: Format) -> Layout {
    Layout {
        format,
        null: None,
        table: TableStyle::default(),
    }
}

fn render(layout: &Layout, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = writer(layout, "test", &mut out);
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out
}

fn text(layout: &Layout, batches: &[RecordBatch]) -> String {
    String::from_utf8(render(layout, batches)).unwrap()
}

#[test]
fn csv() {
    let expected = "id,name,price,day,at,ok,ratio,list\n\
        1,\"a,b\",123.45,1970-01-01,1970-01-01T00:00:00,true,0.5,\"[1, ]\"\n\
        22,,,2024-10-04,,false,NaN,\n\
        333,\"say \"\"hé\"\"\n日本\",-0.05,,1970-01-01T00:00:01.500,,1e300,[]\n";
    assert_eq!(text(&layout(Format::Csv), &[sample()]), expected);
    let twice = text(
        &layout(Format::Csv),
        &[sample().slice(0, 1), sample().slice(1, 2)],
    );
    assert_eq!(twice, expected, "batches show in the output");
    let null = Layout {
        null: Some("\\N".into()),
        ..layout(Format::Csv)
    };
    assert!(text(&null, &[sample()]).contains("\n22,\\N,\\N,2024-10-04,\\N,false,NaN,\\N\n"));
    assert_eq!(
        text(&layout(Format::Csv), &[sample().slice(0, 0)])
            .lines()
            .count(),
        1,
        "no header"
    );
}

#[test]
fn json_lines() {
    let expected = concat!(
        r#"{"id":1,"name":"a,b","price":123.45,"day":"1970-01-01","at":"1970-01-01T00:00:00","#,
        r#""ok":true,"ratio":0.5,"list":[1,null]}"#,
        "\n",
        r#"{"id":22,"name":null,"price":null,"day":"2024-10-04","at":null,"#,
        r#""ok":false,"ratio":null,"list":null}"#,
        "\n",
        r#"{"id":333,"name":"say \"hé\"\n日本","price":-0.05,"day":null,"at":"1970-01-01T00:00:01.500","#,
        r#""ok":null,"ratio":1.0e300,"list":[]}"#,
        "\n",
    );
    assert_eq!(text(&layout(Format::Json), &[sample()]), expected);
    assert_eq!(text(&layout(Format::Json), &[sample().slice(0, 0)]), "");
}

#[test]
fn aligned_table() {
    let expected = [
        "  id | name           |  price | ok",
        "-----+----------------+--------+-------",
        "   1 | a,b            | 123.45 | true",
        "  22 | NULL           |   NULL | false",
        " 333 | say \"hé\"\\n日本 |  -0.05 | NULL",
        "(3 rows)",
        "",
    ];
    let found = text(
        &layout(Format::Table),
        &[sample().project(&[0, 1, 2, 5]).unwrap()],
    );
    assert_eq!(found, expected.join("\n"));
    assert_separators_aligned(&found);
}

/// Every line's separators stand in the same cells, whatever the characters.
fn assert_separators_aligned(table: &str) {
    use unicode_width::UnicodeWidthStr;
    let bars = |line: &str| -> Vec<usize> {
        line.match_indices(['|', '+'])
            .map(|(at, _)| line[..at].width())
            .collect()
    };
    let lines: Vec<&str> = table.lines().collect();
    let wanted = bars(lines[1]);
    for line in &lines[..lines.len() - 1] {
        assert_eq!(bars(line), wanted, "{table}");
    }
}

#[test]
fn tables_stop_at_max_rows_and_count_on() {
    let style = TableStyle {
        max_rows: 4,
        ..TableStyle::default()
    };
    let layout = Layout {
        table: style,
        ..layout(Format::Table)
    };
    let batch = sample().project(&[0]).unwrap();
    let found = text(&layout, &[batch.clone(), batch.clone(), batch.clone()]);
    assert_eq!(found.lines().count(), 2 + 4 + 1, "{found}");
    assert!(
        found.ends_with("... 5 more rows (9 in all; --max-rows 0 shows every row)\n"),
        "{found}"
    );
    assert!(text(&layout, &[batch.slice(0, 1)]).ends_with("(1 row)\n"));
    assert!(text(&layout, &[batch.slice(0, 0)]).ends_with("(0 rows)\n"));
    let four = text(&layout, &[batch.clone(), batch.slice(0, 1)]);
    assert!(four.ends_with("(4 rows)\n"), "{four}");
}

#[test]
fn expanded_table() {
    let style = TableStyle {
        expanded: true,
        ..TableStyle::default()
    };
    let layout = Layout {
        table: style,
        ..layout(Format::Table)
    };
    let found = text(&layout, &[sample().project(&[0, 2]).unwrap().slice(0, 2)]);
    assert_eq!(
        found,
        "-[ row 1 ]\nid    | 1\nprice | 123.45\n-[ row 2 ]\nid    | 22\nprice | NULL\n(2 rows)\n"
    );
}

#[test]
fn tables_fit_the_terminal() {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100), "日".repeat(60)]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1234567890123, 2]));
    let batch = RecordBatch::try_from_iter([("long", long), ("number", number)]).unwrap();
    let style = TableStyle {
        width: Some(60),
        ..TableStyle::default()
    };
    let found = text(
        &Layout {
            table: style,
            ..layout(Format::Table)
        },
        &[batch],
    );
    for line in found.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "{line}");
    }
    assert!(found.contains("1234567890123") && found.contains('…'), "{found}");
    assert_separators_aligned(&found);
}

#[test]
fn tables_that_cannot_fit_are_not_cut() {
    let style = TableStyle {
        width: Some(20),
        ..TableStyle::default()
    };
    let found = text(
        &Layout {
            table: style,
            ..layout(Format::Table)
        },
        &[sample()],
    );
    assert!(
        !found.contains('…') && found.contains("1970-01-01T00:00:01.500"),
        "{found}"
    );
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let evil: ArrayRef = Arc::new(StringArray::from(vec!["\u{1b}[31mred\u{7}"]));
    let batch = RecordBatch::try_from_iter([("c\u{1b}", evil)]).unwrap();
    let found = text(&layout(Format::Table), &[batch]);
    assert!(!found.contains(['\u{1b}', '\u{7}']), "{found:?}");
    assert!(found.contains("\\u{1b}[31mred"), "{found}");
}

#[test]
fn arrow_files_read_back() {
    let read = |bytes: Vec<u8>| {
        let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        (reader.schema(), reader.map(Result::unwrap).collect::<Vec<_>>())
    };
    let batch = sample();
    let (_, found) = read(render(
        &layout(Format::Arrow),
        &[batch.clone(), batch.slice(1, 1)],
    ));
    assert_eq!(found[0].column(7), batch.column(7));
    assert_eq!(
        found.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [3, 1]
    );
    let (schema, found) = read(render(&layout(Format::Arrow), &[batch.slice(0, 0)]));
    assert_eq!((schema, found.len()), (batch.schema(), 0));
}

#[test]
fn arrow_files_take_dictionaries_that_change() {
    let of = |values: Vec<&str>| {
        let column: ArrayRef = Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_from_iter([("d", column)]).unwrap()
    };
    let bytes = render(&layout(Format::Arrow), &[of(vec!["a", "b"]), of(vec!["c"])]);
    let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let expected: ArrayRef = Arc::new(StringArray::from(vec!["c"]));
    assert_eq!(batches[1].column(0), &expected);
    assert!(text(&layout(Format::Table), &[of(vec!["a"])]).contains(" a\n"));
    assert_eq!(text(&layout(Format::Json), &[of(vec!["a"])]), "{\"d\":\"a\"}\n");
    assert_eq!(text(&layout(Format::Csv), &[of(vec!["a"])]), "d\na\n");
}

#[test]
fn a_closed_pipe_is_told_apart() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    for format in [Format::Table, Format::Csv, Format::Json, Format::Arrow] {
        let (layout, mut closed) = (layout(format), Closed);
        let mut writer = writer(&layout, "test", &mut closed);
        let failure = writer
            .write(&sample())
            .and_then(|()| writer.finish())
            .unwrap_err();
        assert_eq!(failure.exit_code(), 0, "{format:?}: {failure}");
    }
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert_eq!(
        text(
            &layout(Format::Csv),
            &[RecordBatch::try_from_iter([("i", ids)]).unwrap()]
        ),
        "i\n1\n"
    );
}
