//! Files that are missing, damaged or not what their table says: a clear error, and a server that lives.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use tempfile::TempDir;
use tonic::{Code, Status};
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::{Options, Server};

const ROWS: i64 = 20_000;

fn rows() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|n| format!("text number {n}")),
    ));
    RecordBatch::try_from_iter([("n", numbers), ("s", texts)]).expect("the columns are equally long")
}

fn folder_server() -> (TempDir, Server) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Options::new()
        .args(["--data-roots", &folder.path().display().to_string()])
        .start();
    (folder, server)
}

async fn read(client: &mut Client, path: &Path) -> Result<String, Status> {
    client
        .value(&format!(
            "select count(distinct s) + sum(n) from '{}'",
            path.display()
        ))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn missing() {
    let (folder, server) = folder_server();
    let mut client = Client::connect(&server).await;
    let path = folder.path().join("missing.parquet");
    let status = read(&mut client, &path).await.expect_err("there is no file");
    assert!(
        matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument),
        "{status}"
    );
    assert!(status.message().contains("missing.parquet"), "{status}");
    let status = client
        .rows(&format!(
            "select * from '{}'",
            folder.path().join("none-*.parquet").display()
        ))
        .await
        .expect_err("nothing matches");
    assert!(status.message().contains("none-"), "{status}");
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_after_planning() {
    let (folder, server) = folder_server();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &rows(), 1000);
    let mut client = Client::connect(&server).await;
    let info = client
        .info(&format!("select sum(n) from '{}'", path.display()))
        .await
        .expect("it can be planned");
    fs::remove_file(&path).expect("it can be removed");
    let status = client.rows_of(info).await.expect_err("the file is gone");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("t.parquet"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated() {
    let (folder, server) = folder_server();
    let whole = folder.path().join("whole.parquet");
    write_parquet(&whole, &rows(), 1000);
    let bytes = fs::read(&whole).expect("it can be read");
    let mut client = Client::connect(&server).await;
    for length in [
        0,
        1,
        4,
        8,
        11,
        12,
        bytes.len() / 2,
        bytes.len() - 9,
        bytes.len() - 4,
        bytes.len() - 1,
    ] {
        let path = folder.path().join(format!("cut-{length}.parquet"));
        fs::write(&path, &bytes[..length]).expect("a file can be written");
        let status = read(&mut client, &path).await.expect_err("it is cut");
        assert!(
            matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument),
            "{length} bytes: {status}"
        );
        assert!(
            status.message().contains(&format!("cut-{length}.parquet")),
            "{length} bytes: {status}"
        );
    }
    Client::assert_answers(&server).await;
}

/// A flipped bit gives an error that names the file, or other values where it hits a value; never a crash.
#[tokio::test(flavor = "multi_thread")]
async fn bits_flipped() {
    let (folder, server) = folder_server();
    let whole = folder.path().join("whole.parquet");
    write_parquet(&whole, &rows(), 5000);
    let bytes = fs::read(&whole).expect("it can be read");
    let mut client = Client::connect(&server).await;
    let good = read(&mut client, &whole).await.expect("the file is good");
    let seed = seed();
    let mut random = Random(seed);
    let (mut errors, mut crashes) = (0, Vec::new());
    let footer = u32::from_le_bytes(
        bytes[bytes.len() - 8..bytes.len() - 4]
            .try_into()
            .expect("four bytes"),
    ) as usize;
    for round in 0..60 {
        let mut damaged = bytes.clone();
        // Every second round damages the footer, which is small and matters most.
        let from = if round % 2 == 0 {
            bytes.len() - 8 - footer
        } else {
            0
        };
        for _ in 0..1 + round % 3 {
            let position = from + random.below(bytes.len() - from);
            damaged[position] ^= 1 << random.below(8);
        }
        let path = folder.path().join(format!("flipped-{round}.parquet"));
        fs::write(&path, &damaged).expect("a file can be written");
        match read(&mut client, &path).await {
            Ok(value) => drop(value),
            Err(status)
                if matches!(
                    status.code(),
                    Code::FailedPrecondition | Code::InvalidArgument | Code::ResourceExhausted
                ) =>
            {
                errors += 1
            }
            Err(status) => crashes.push(format!("seed {seed}, round {round}: {status}")),
        }
        fs::remove_file(&path).expect("it can be removed");
    }
    assert_eq!(crashes, Vec::<String>::new(), "seed {seed}");
    assert!(
        errors > 10,
        "seed {seed}: only {errors} of 60 damages were noticed"
    );
    assert_eq!(
        read(&mut client, &whole).await.expect("the file is still good"),
        good
    );
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_parquet_at_all() {
    let (folder, server) = folder_server();
    let mut client = Client::connect(&server).await;
    for (name, content) in [
        ("text.parquet", &b"this is a text, not a table"[..]),
        ("zeros.parquet", &[0; 4096]),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        let status = read(&mut client, &path).await.expect_err("it is not Parquet");
        assert!(status.message().contains(name), "{status}");
    }
    fs::create_dir(folder.path().join("folder.parquet")).expect("a folder can be made");
    read(&mut client, &folder.path().join("folder.parquet"))
        .await
        .expect_err("it is an empty folder");
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_disagree() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let table = folder.path().join("disagreeing");
    fs::create_dir(&table).expect("a folder can be made");
    write_parquet(&table.join("1.parquet"), &rows(), 5000);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["not a number"]));
    let other = RecordBatch::try_from_iter([("n", texts.clone()), ("s", texts)]).expect("one row");
    write_parquet(&table.join("2.parquet"), &other, 1);
    let server = Options::new().data(folder.path()).start();
    let mut client = Client::connect(&server).await;
    let status = client
        .rows("select sum(n) from disagreeing")
        .await
        .expect_err("the files disagree");
    assert!(
        matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument),
        "{status}"
    );
    assert!(
        status.message().contains("disagreeing") || status.message().contains("\"n\""),
        "{status}"
    );
    Client::assert_answers(&server).await;
}

/// A table that cannot be read must not keep the others from being served.
#[tokio::test(flavor = "multi_thread")]
async fn one_bad_table_among_good_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    write_parquet(&folder.path().join("good.parquet"), &rows(), 5000);
    fs::write(folder.path().join("bad.parquet"), b"PAR1 no more").expect("a file can be written");
    let server = Options::new().data(folder.path()).start();
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select count(*) from good")
            .await
            .expect("it is good"),
        ROWS.to_string()
    );
    let status = client.rows("select * from bad").await.expect_err("it is bad");
    assert!(status.message().contains("bad"), "{status}");
    let tables = "select table_name from information_schema.tables where table_name = 'good'";
    assert_eq!(
        client.column(tables).await.expect("metadata still answers"),
        ["good"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_added_and_changed_are_seen() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let table = folder.path().join("growing");
    fs::create_dir(&table).expect("a folder can be made");
    write_parquet(&table.join("1.parquet"), &rows(), 5000);
    let server = Options::new().data(folder.path()).start();
    let mut client = Client::connect(&server).await;
    let count = "select count(*) from growing";
    assert_eq!(
        client.value(count).await.expect("it can be read"),
        ROWS.to_string()
    );
    write_parquet(&table.join("2.parquet"), &rows().slice(0, 10), 5000);
    assert_eq!(
        client.value(count).await.expect("it can be read"),
        (ROWS + 10).to_string()
    );
    write_parquet(&table.join("2.parquet"), &rows().slice(100, 7), 5000);
    assert_eq!(
        client.value(count).await.expect("it can be read"),
        (ROWS + 7).to_string()
    );
    fs::remove_file(table.join("1.parquet")).expect("it can be removed");
    assert_eq!(
        client
            .value("select min(n) from growing")
            .await
            .expect("it can be read"),
        "100"
    );
}

/// From the clock, or from `WARPFLIGHT_TEST_SEED` to repeat a failure.
pub fn seed() -> u64 {
    match std::env::var("WARPFLIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("WARPFLIGHT_TEST_SEED is a number"),
        Err(_) => {
            let since = std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .expect("the clock is past 1970");
            since.as_nanos() as u64 | 1
        }
    }
}

/// Xorshift: enough to scatter damage, the same for the same seed.
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }
}
