//! A process that compiles for another one. Comes in: sources, through its standard input. Goes out: images or the
//! compiler's words, through its standard output. It knows no device.
//!
//! A message is its fields in order; a field is its length, four bytes with the lowest first, and its bytes.

use std::io::{self, Read, Write};

use super::NvrtcCompiler;
use super::nvrtc::version;
use crate::error::DeviceError;

/// The longest field that is believed; images have some hundred KiB.
const FIELD_BYTES_MAX: usize = 256 << 20;

/// What is to be compiled.
#[derive(Debug)]
pub(super) struct Request {
    /// Such as `sm_90`.
    pub(super) architecture: String,
    /// The module's name, for messages.
    pub(super) kernel: String,
    /// The name of the file that messages show.
    pub(super) file: String,
    pub(super) text: String,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Image(Vec<u8>),
    /// The compiler's words.
    Refused(String),
}

impl Request {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        for field in [&self.architecture, &self.kernel, &self.file, &self.text] {
            write_field(to, field.as_bytes())?;
        }
        to.flush()
    }

    /// The next one, or `None` where the other side has closed.
    fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(architecture) = read_field(from)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            architecture: text(architecture)?,
            kernel: text(expected(read_field(from)?)?)?,
            file: text(expected(read_field(from)?)?)?,
            text: text(expected(read_field(from)?)?)?,
        }))
    }
}

impl Reply {
    const IMAGE: &[u8] = b"image";
    const REFUSED: &[u8] = b"refused";

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (kind, bytes) = match self {
            Self::Image(image) => (Self::IMAGE, image.as_slice()),
            Self::Refused(words) => (Self::REFUSED, words.as_bytes()),
        };
        write_field(to, kind)?;
        write_field(to, bytes)?;
        to.flush()
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let kind = expected(read_field(from)?)?;
        let bytes = expected(read_field(from)?)?;
        match kind.as_slice() {
            Self::IMAGE => Ok(Self::Image(bytes)),
            Self::REFUSED => Ok(Self::Refused(text(bytes)?)),
            _ => Err(strange("a reply of no known kind")),
        }
    }
}

/// Compiles what `input` asks for until it ends. The first thing that goes to `output` is an image that holds the
/// compiler's version, or why there is none.
///
/// # Errors
/// As reading and writing; a request that is none is `InvalidData`.
pub fn serve_compiler(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    greeting().write(&mut output)?;
    while let Some(request) = Request::read(&mut input)? {
        compiled(&request).write(&mut output)?;
    }
    Ok(())
}

/// What a process says first, and what is expected of it.
pub(super) fn greeting() -> Reply {
    match version() {
        Ok((major, minor)) => Reply::Image(format!("nvrtc {major}.{minor}").into_bytes()),
        Err(reason) => Reply::Refused(reason),
    }
}

fn compiled(request: &Request) -> Reply {
    let compiler = NvrtcCompiler::new(&request.architecture);
    match compiler.and_then(|compiler| compiler.compile_here(&request.kernel, &request.file, &request.text)) {
        Ok(image) => Reply::Image(image),
        Err(DeviceError::Compile { log, .. }) => Reply::Refused(log),
        Err(other) => Reply::Refused(other.to_string()),
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| strange("a field that is not text"))
}

fn expected(field: Option<Vec<u8>>) -> io::Result<Vec<u8>> {
    field.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn write_field(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| strange("a field of 4 GiB or more"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

/// The next field, or `None` at the end.
fn read_field(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    let mut first = 0;
    while first == 0 {
        first = match from.read(&mut length[..1]) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
    }
    from.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FIELD_BYTES_MAX {
        return Err(strange("a field longer than any image"));
    }
    let mut bytes = Vec::new();
    // Memory grows with what comes, not with what was announced.
    if from.take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            architecture: "sm_90".to_owned(),
            kernel: "größe".to_owned(),
            file: "k.cu".to_owned(),
            text: String::new(),
        }
    }

    #[test]
    fn messages_come_back_as_they_were() {
        let mut bytes = Vec::new();
        request().write(&mut bytes).unwrap();
        let mut from = bytes.as_slice();
        let back = Request::read(&mut from).unwrap().unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", request()));
        assert!(Request::read(&mut from).unwrap().is_none());

        for reply in [
            Reply::Image(vec![0, 255, 10]),
            Reply::Refused("no such thing".to_owned()),
        ] {
            let mut bytes = Vec::new();
            reply.write(&mut bytes).unwrap();
            assert_eq!(Reply::read(&mut bytes.as_slice()).unwrap(), reply);
        }
    }

    #[test]
    fn messages_that_break_off_or_lie_are_errors() {
        let mut bytes = Vec::new();
        request().write(&mut bytes).unwrap();
        for end in 1..bytes.len() {
            let error = Request::read(&mut &bytes[..end]).expect_err("it breaks off");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "after {end} bytes");
        }
        let long = [0xff; 8];
        assert!(Request::read(&mut long.as_slice()).is_err());
        // What a program prints that knows nothing of all this.
        assert!(Reply::read(&mut "running 1 test\n".as_bytes()).is_err());
        assert!(Reply::read(&mut "\u{1}\0\0\0x\0\0\0\0".as_bytes()).is_err());
    }
}
