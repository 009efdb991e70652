//! Tickets: not made up, not altered, not another session's.

use arrow_flight::Ticket;
use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use prost::Message;
use tonic::Code;
use warpflight_tests::client::{Client, only_ticket};
use warpflight_tests::server::Server;

use crate::{shared_server, tpch_server};

async fn refused(client: &mut Client, ticket: Ticket) -> tonic::Status {
    match client.get(ticket).await {
        Err(status) => status,
        Ok(mut stream) => loop {
            match stream.message().await {
                Err(status) => break status,
                Ok(Some(_)) => {}
                Ok(None) => panic!("the ticket was redeemed"),
            }
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let statement = |handle: &[u8]| {
        TicketStatementQuery {
            statement_handle: handle.to_vec().into(),
        }
        .as_any()
        .encode_to_vec()
    };
    let long = vec![b'a'; 100_000];
    for bytes in [
        &b""[..],
        b"garbage",
        b"\x00\xff\x00\xff",
        &long,
        &statement(b""),
        &statement(b"a.b.c"),
        &statement(&long),
    ] {
        let status = refused(
            &mut client,
            Ticket {
                ticket: bytes.to_vec().into(),
            },
        )
        .await;
        let refused = matches!(status.code(), Code::InvalidArgument | Code::Unimplemented);
        assert!(refused, "{} bytes: {status}", bytes.len());
        assert!(status.message().contains("ticket"), "{status}");
    }
    assert_eq!(client.value("select 1").await.expect("the session goes on"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_is_noticed() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let info = client.info("select 1").await.expect("a query can be planned");
    let ticket = only_ticket(&info).ticket;
    // The message around the handle too. Not the bit that makes a letter large: hexadecimal digits mean the same.
    for position in 0..ticket.len() {
        let mut forged = ticket.to_vec();
        forged[position] ^= 1 << (position % 5);
        let status = refused(
            &mut client,
            Ticket {
                ticket: forged.into(),
            },
        )
        .await;
        assert!(
            matches!(
                status.code(),
                Code::InvalidArgument | Code::PermissionDenied | Code::Unimplemented
            ),
            "byte {position}: {status}"
        );
    }
    client.rows_of(info).await.expect("the ticket itself is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sessions() {
    let server = shared_server();
    let (mut mine, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    let info = mine.info("select 1").await.expect("a query can be planned");
    let status = refused(&mut other, only_ticket(&info)).await;
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("another session"), "{status}");
    mine.rows_of(info)
        .await
        .expect("it is good where it was given out");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_servers() {
    let servers: [Server; 2] = [tpch_server().start(), tpch_server().start()];
    let info = Client::connect(&servers[0])
        .await
        .info("select 1")
        .await
        .expect("a query can be planned");
    let mut client = Client::connect(&servers[1]).await;
    let status = refused(&mut client, only_ticket(&info)).await;
    assert!(status.message().contains("ticket"), "{status}");
}
