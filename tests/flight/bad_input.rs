//! Wrong input: SQL, messages, connections. Each gets an error that helps, and the server lives.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementIngest,
    CommandStatementUpdate, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor};
use bytes::{Buf, BufMut, Bytes};
use futures::TryStreamExt;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use warpflight_tests::client::Client;
use warpflight_tests::server::Server;

use crate::files::{Random, seed};
use crate::{shared_server, tpch_server};

#[tokio::test(flavor = "multi_thread")]
async fn bad_sql_says_what_and_where() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let cases: &[(&str, &[&str])] = &[
        ("selec 1", &["selec", "line 1, column 1"]),
        ("select 1 +", &["expected: an expression"]),
        ("select 1\nfrom nation\nwhere where", &["line 3, column "]),
        ("select ' unclosed", &["line 1, column 8"]),
        ("select no_such_column from nation", &["no_such_column", "line 1, column 8"]),
        ("select n_nam from nation", &["n_nam", "n_name"]),
        ("select *\nfrom no_such_table", &["no_such_table", "line 2, column 6"]),
        ("select no_such_function(1)", &["no_such_function"]),
        (
            "select n_name + interval '1 day' from nation",
            &["Utf8", "Interval"],
        ),
        ("select n_name, count(*) from nation", &["n_name", "GROUP BY"]),
        ("select cast('x' as int)", &["x", "Int32"]),
        ("select 1 / 0", &["zero"]),
        ("", &["empty statement"]),
        ("  -- only a comment\n", &["empty statement"]),
        ("select 1; select 2", &["2 statements"]),
        ("select ?", &["found no values"]),
        ("select $0", &["$0"]),
        ("select $1, $3", &["$2"]),
        ("create index i on nation (n_name)", &["CREATE INDEX"]),
        ("drop table no_such_table", &["no_such_table"]),
    ];
    for (sql, words) in cases {
        let status = client.rows(sql).await.expect_err(sql);
        assert!(
            matches!(
                status.code(),
                Code::InvalidArgument | Code::Unimplemented | Code::NotFound
            ),
            "{sql:?}: {status}"
        );
        for word in *words {
            assert!(
                status.message().contains(word),
                "{sql:?}: expected {word:?} in {:?}",
                status.message()
            );
        }
        for leak in [
            "DataFusion error",
            "datafusion::",
            "/root/",
            ".rs:",
            "Arrow error: Arrow error",
            "panicked",
        ] {
            assert!(
                !status.message().contains(leak),
                "{sql:?}: found {leak:?} in {:?}",
                status.message()
            );
        }
    }
    assert_eq!(client.value("select 1").await.expect("the session goes on"), "1");
}

const RPCS: [&str; 10] = [
    "Handshake",
    "ListFlights",
    "GetFlightInfo",
    "PollFlightInfo",
    "GetSchema",
    "DoGet",
    "DoPut",
    "DoExchange",
    "DoAction",
    "ListActions",
];

/// Sends one message of any bytes and reads the answer to its end.
async fn send_raw(server: &Server, rpc: &str, bytes: Vec<u8>) -> Result<usize, Status> {
    let endpoint =
        Endpoint::from_shared(format!("http://{}", server.address())).expect("the address is a URL");
    let channel: Channel = endpoint
        .connect()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let mut grpc = Grpc::new(channel);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/arrow.flight.protocol.FlightService/{rpc}");
    let path = PathAndQuery::try_from(path).expect("the name of an RPC can stand in a path");
    let messages = futures::stream::iter([Bytes::from(bytes)]);
    let answers = grpc
        .streaming(Request::new(messages), path, RawCodec)
        .await?
        .into_inner();
    Ok(answers.try_collect::<Vec<Bytes>>().await?.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_protobuf_on_every_rpc() {
    let server = shared_server();
    let seed = seed();
    let mut random = Random(seed);
    for rpc in RPCS {
        for round in 0..12 {
            let length = [0, 1, 7, 100, 5_000][round % 5];
            let bytes = random.bytes(length);
            let outcome =
                tokio::time::timeout(Duration::from_secs(20), send_raw(&server, rpc, bytes.clone())).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("seed {seed}, {rpc}, {length} bytes: no answer"));
            if let Err(status) = outcome {
                assert!(
                    !matches!(status.code(), Code::Unavailable | Code::Unknown),
                    "seed {seed}, {rpc}, {bytes:?}: {status}"
                );
            }
        }
    }
    Client::assert_answers(&server).await;
    assert!(!server.log().contains("panicked"), "seed {seed}");
}

/// Messages that are nearly right: real commands with bytes changed.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_commands() {
    let server = shared_server();
    let seed = seed();
    let mut random = Random(seed);
    let mut client = Client::connect(&server).await;
    let update = CommandStatementUpdate {
        query: "create table t (a int)".into(),
        transaction_id: None,
    }
    .as_any();
    let prepared = CommandPreparedStatementQuery {
        prepared_statement_handle: "handle".into(),
    }
    .as_any();
    let ingest = CommandStatementIngest {
        table: "t".into(),
        ..CommandStatementIngest::default()
    }
    .as_any();
    for round in 0..200 {
        let mut bytes = [&update, &prepared, &ingest][round % 3].encode_to_vec();
        for _ in 0..=random.below(3) {
            let position = random.below(bytes.len());
            bytes[position] = random.bytes(1)[0];
        }
        let descriptor = FlightDescriptor::new_cmd(bytes);
        let request = client.request(descriptor.clone());
        let info = client.flight.get_flight_info(request).await.map(drop);
        let message = FlightData {
            flight_descriptor: Some(descriptor),
            ..FlightData::default()
        };
        let put = client
            .put_messages(futures::stream::iter([message]))
            .await
            .map(drop);
        for status in [info, put].into_iter().filter_map(Result::err) {
            let expected = !matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal);
            assert!(expected, "seed {seed}, round {round}: {status}");
        }
    }
    Client::assert_answers(&server).await;
}

/// Rows of parameters whose Arrow messages are malformed, in the header and in the body.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_arrow_in_parameters() {
    let server = shared_server();
    let seed = seed();
    let mut random = Random(seed);
    let mut client = Client::connect(&server).await;
    let handle = client
        .prepare("select ?")
        .await
        .expect("it can be prepared")
        .prepared_statement_handle;
    let query = CommandPreparedStatementQuery {
        prepared_statement_handle: handle.clone(),
    }
    .as_any()
    .encode_to_vec();
    let update = CommandPreparedStatementUpdate {
        prepared_statement_handle: handle.clone(),
    }
    .as_any()
    .encode_to_vec();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = RecordBatch::try_from_iter([("$1", column)]).expect("one column is a batch");
    let encoder = FlightDataEncoderBuilder::new().build(futures::stream::iter([Ok(rows.clone())]));
    let good: Vec<FlightData> = encoder.try_collect().await.expect("rows can be encoded");
    for round in 0..200 {
        let command = [&query, &update][round % 2].clone();
        let mut messages = good.clone();
        messages[0].flight_descriptor = Some(FlightDescriptor::new_cmd(command));
        let damaged = random.below(messages.len());
        let mut header = messages[damaged].data_header.to_vec();
        match round % 4 {
            0 => header = random.bytes(random_length(round)),
            1 => header.truncate(random.below(header.len())),
            _ => {
                for _ in 0..=random.below(4) {
                    let position = random.below(header.len());
                    header[position] = random.bytes(1)[0];
                }
            }
        }
        messages[damaged].data_header = header.into();
        if round % 5 == 0 {
            messages[damaged].data_body = random.bytes(random_length(round)).into();
        }
        let put = client.put_messages(futures::stream::iter(messages));
        let outcome = tokio::time::timeout(Duration::from_secs(20), put).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("seed {seed}, round {round}: no answer"));
        if let Err(status) = outcome {
            let expected = matches!(
                status.code(),
                Code::InvalidArgument | Code::ResourceExhausted | Code::Unimplemented
            );
            assert!(expected, "seed {seed}, round {round}: {status}");
        }
    }
    let bound = client
        .rows_prepared(&handle, Some(rows))
        .await
        .expect("the statement is still good");
    assert_eq!(bound.num_rows(), 1);
    Client::assert_answers(&server).await;
}

fn random_length(round: usize) -> usize {
    [0, 3, 16, 200, 4096][round % 5]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_rows() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let status = client
        .put_messages(futures::stream::empty())
        .await
        .expect_err("nothing was sent");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    // One that never sends its first message holds nothing up.
    let silent = client.put_messages(futures::stream::pending());
    tokio::time::timeout(Duration::from_millis(500), silent)
        .await
        .expect_err("it waits");
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_headers_and_messages() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    client.set_header("x-oversized", &"x".repeat(1 << 20));
    client
        .rows("select 1")
        .await
        .expect_err("a header of 1 MB is refused");
    let mut client = Client::connect(&server).await;
    client.set_header("x-long", &"x".repeat(8 << 10));
    assert_eq!(client.value("select 1").await.expect("8 KB are fine"), "1");
    let status = client
        .rows(&format!("select '{}'", "x".repeat(80 << 20)))
        .await
        .expect_err("80 MB are too much");
    assert!(
        matches!(
            status.code(),
            Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument
        ),
        "{status}"
    );
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing() {
    let server = tpch_server().start();
    let mut silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(server.address()).expect("it accepts"))
        .collect();
    Client::assert_answers(&server).await;
    let started = Instant::now();
    let first = &mut silent[0];
    first
        .set_read_timeout(Some(Duration::from_secs(40)))
        .expect("a timeout can be set");
    // Whatever it says before (HTTP/2 lets a server speak first), it ends the connection.
    let ended = std::io::copy(first, &mut std::io::sink());
    assert!(
        !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        "it is still open"
    );
    assert!(started.elapsed() < Duration::from_secs(40));
    server.wait_metric("warpflight_connections", Duration::from_secs(20), |open| {
        open <= 1.0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_speak_something_else() {
    let server = shared_server();
    let seed = seed();
    let mut random = Random(seed);
    let mut openings = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), vec![0xff; 4096]].concat(),
        vec![0; 100_000],
    ];
    for _ in 0..20 {
        openings.push([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), random.bytes(500)].concat());
        openings.push(random.bytes(500));
    }
    let mut open = Vec::new();
    for opening in &openings {
        let mut stream = TcpStream::connect(server.address()).expect("it accepts");
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a timeout can be set");
        // It may close the connection before all is written.
        let _ = stream.write_all(opening);
        let _ = stream.read(&mut [0; 1024]);
        open.push(stream);
    }
    Client::assert_answers(&server).await;
    assert!(!server.log().contains("panicked"), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_midway() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    let mut stream = client
        .stream("select value from generate_series(1, 1000000000)")
        .await
        .expect("it runs");
    for _ in 0..3 {
        stream
            .message()
            .await
            .expect("it has begun")
            .expect("it has begun");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.metric("warpflight_result_rows_total");
    Client::assert_answers(&server).await;
    // The same connection still answers other requests: one stream does not block the next.
    assert_eq!(
        client
            .value("select count(*) from nation")
            .await
            .expect("it answers"),
        "25"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = server.metric("warpflight_result_rows_total");
    assert!(
        after - before < 100_000.0,
        "{} rows went to nobody",
        after - before
    );
    for _ in 0..50 {
        stream.message().await.expect("it goes on").expect("it goes on");
    }
    drop(stream);
    server.wait_metric("warpflight_queries_running", Duration::from_secs(1), |running| {
        running == 0.0
    });
}

/// Passes bytes through as they are.
#[derive(Debug, Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
