//! The engine under test: a running server, through arrow-flight's Flight SQL client.
//!
//! In: the server's URL and SQL text. Out: rows as text, or the server's error message. Queries go by
//! GetFlightInfo and DoGet over every endpoint, other statements by DoPut.

use arrow_flight::sql::client::FlightSqlServiceClient;
use async_trait::async_trait;
use futures::TryStreamExt;
use sqllogictest::{AsyncDB, DBOutput};
use tonic::transport::{Channel, Endpoint};

use super::column::{ColumnKind, column_kinds};
use super::format::format_rows;
use super::{EngineError, is_query};

/// One session of the server.
pub struct FlightDb {
    client: FlightSqlServiceClient<Channel>,
}

impl FlightDb {
    /// Connects to the server at `url`, with a session of its own.
    pub async fn connect(url: &str) -> Result<Self, EngineError> {
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(EngineError::from_display)?;
        let channel = endpoint.connect().await.map_err(EngineError::from_display)?;
        let mut client = FlightSqlServiceClient::new(channel);
        // The bearer token that the handshake returns names the session.
        client.handshake("", "").await?;
        Ok(Self { client })
    }

    async fn query(&mut self, sql: &str) -> Result<DBOutput<ColumnKind>, EngineError> {
        let info = self.client.execute(sql.to_owned(), None).await?;
        let mut schema = info.clone().try_decode_schema()?;
        let mut rows = Vec::new();
        for endpoint in info.endpoint {
            let ticket = endpoint
                .ticket
                .ok_or_else(|| EngineError::new("an endpoint came without a ticket"))?;
            let mut stream = self.client.do_get(ticket).await?;
            while let Some(batch) = stream.try_next().await? {
                schema = batch.schema().as_ref().clone();
                rows.extend(format_rows(&[batch]).map_err(EngineError::from_display)?);
            }
        }
        Ok(DBOutput::Rows {
            types: column_kinds(&schema),
            rows,
        })
    }
}

#[async_trait]
impl AsyncDB for FlightDb {
    type Error = EngineError;
    type ColumnType = ColumnKind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<ColumnKind>, EngineError> {
        if is_query(sql) {
            return self.query(sql).await;
        }
        let count = self.client.execute_update(sql.to_owned(), None).await?;
        Ok(DBOutput::StatementComplete(count.try_into().unwrap_or(0)))
    }

    async fn shutdown(&mut self) {
        // A server that has already gone needs no goodbye.
        let _ = self.client.close().await;
    }

    fn engine_name(&self) -> &str {
        "warpflight"
    }
}
