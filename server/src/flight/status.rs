//! From our errors to gRPC statuses: the one map.

use tonic::{Code, Status};

use crate::error::{Error, Kind};

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Status::new(code(error.kind()), error.message())
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Sql => Code::InvalidArgument,
        Kind::Unsupported => Code::Unimplemented,
        Kind::Data => Code::FailedPrecondition,
        Kind::Resources => Code::ResourceExhausted,
        Kind::Cancelled => Code::Cancelled,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Denied => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => Code::Internal,
    }
}
