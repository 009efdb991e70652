use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, ArrayRef, RecordBatch};

use super::super::wire_type::{is_plain, wire_type};
use super::arrays::{Random, all_types, random_array};
use super::{batch_of, decode, encode, words};

/// Sends `column` and reads it back: same values, valid data, the type announced.
fn check(column: &ArrayRef, message_bytes_max: usize, what: &str) {
    let sent = batch_of(vec![column.clone()], column.len());
    let received = decode(encode(&sent, message_bytes_max));
    let mut row = 0;
    for batch in &received {
        let found = batch.column(0);
        assert_eq!(*found.data_type(), wire_type(column.data_type()), "{what}");
        found
            .to_data()
            .validate_full()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected = column.slice(row, found.len());
        assert_eq!(words(found), words(&expected), "{what}, rows from {row}");
        if is_plain(column.data_type()) {
            assert_eq!(found.to_data(), expected.to_data(), "{what}, rows from {row}");
        }
        row += found.len();
    }
    assert_eq!(row, column.len(), "{what}");
}

fn seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn every_type_comes_back_equal() {
    for data_type in all_types() {
        for percent in [0, 50, 100] {
            for len in [0, 1, 7, 64, 200] {
                let what = format!("{data_type}, {len} rows, {percent} % null");
                let column = random_array(&mut Random::new(7), &data_type, len, percent);
                check(&column, usize::MAX, &what);
            }
        }
    }
}

#[test]
fn every_slice_comes_back_equal() {
    for data_type in all_types() {
        for percent in [0, 40] {
            let column = random_array(&mut Random::new(11), &data_type, 100, percent);
            for (start, len) in [
                (0, 0),
                (0, 9),
                (1, 99),
                (5, 1),
                (8, 64),
                (37, 50),
                (99, 1),
                (100, 0),
            ] {
                let what = format!("{data_type}, rows {start} to {}, {percent} % null", start + len);
                check(&column.slice(start, len), usize::MAX, &what);
                check(&column.slice(start, len), 300, &what);
            }
        }
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn random_batches_come_back_equal() {
    let seed = seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let types = all_types();
    for round in 0..60 {
        let len = random.below(3000);
        let columns: Vec<ArrayRef> = (0..1 + random.below(6))
            .map(|_| {
                let before = random.below(20);
                let percent = [0, 10, 100][random.below(3)];
                let data_type = &types[random.below(types.len())];
                random_array(&mut random, data_type, before + len + 3, percent).slice(before, len)
            })
            .collect();
        let sent = batch_of(columns, len);
        let message_bytes_max = 1000 + random.below(100_000);
        let received = decode(encode(&sent, message_bytes_max));
        let mut row = 0;
        for batch in &received {
            assert_equal(
                batch,
                &sent.slice(row, batch.num_rows()),
                &format!("seed {seed}, round {round}"),
            );
            row += batch.num_rows();
        }
        assert_eq!(row, len, "seed {seed}, round {round}");
    }
}

fn assert_equal(found: &RecordBatch, expected: &RecordBatch, what: &str) {
    for (found, expected) in found.columns().iter().zip(expected.columns()) {
        assert_eq!(words(found), words(expected), "{what}: {}", expected.data_type());
    }
}

#[test]
fn rows_without_columns_come_back() {
    for rows in [0, 1, 1_000_000] {
        let received = decode(encode(&batch_of(vec![], rows), 1000));
        assert_eq!(received.len(), 1);
        assert_eq!((received[0].num_rows(), received[0].num_columns()), (rows, 0));
    }
}
