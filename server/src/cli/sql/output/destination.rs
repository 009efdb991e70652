//! Where results go. In: standard output or a path. Out: something to write to, which knows its name. A
//! file appears under its name only when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use super::super::failure::{Failure, Outcome};

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 64 * 1024;

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// An open destination. Dropped without [`Sink::complete`], a file that it made is removed again.
pub struct Sink {
    out: Out,
    name: String,
}

enum Out {
    Stdout(BufWriter<Stdout>),
    /// A pipe or device: there is nothing to rename.
    Direct(BufWriter<File>),
    Staged {
        file: Option<BufWriter<File>>,
        staged: PathBuf,
        path: PathBuf,
    },
}

impl Sink {
    /// Opens `destination`.
    pub fn open(destination: &Destination) -> Outcome<Self> {
        let Destination::File(path) = destination else {
            let out = Out::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
            return Ok(Self {
                out,
                name: "standard output".to_owned(),
            });
        };
        let name = path.display().to_string();
        let failed = |e: io::Error| Failure::from_write(&name, &e);
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let out = if special {
            let file = fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
            Out::Direct(BufWriter::with_capacity(BUFFER_BYTES, file))
        } else {
            let staged = staged(path)
                .ok_or_else(|| Failure::usage(format!("found output {name:?}, expected a file name")))?;
            let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&staged).map_err(failed)?);
            Out::Staged {
                file: Some(file),
                staged,
                path: path.clone(),
            }
        };
        Ok(Self { out, name })
    }

    /// Whether this is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.out, Out::Stdout(_))
    }

    /// What to write to, and what errors call it.
    pub fn parts(&mut self) -> (&mut dyn Write, &str) {
        let out: &mut dyn Write = match &mut self.out {
            Out::Stdout(out) => out,
            Out::Direct(out) | Out::Staged { file: Some(out), .. } => out,
            Out::Staged { file: None, .. } => unreachable!("a completed sink cannot be written to"),
        };
        (out, &self.name)
    }

    /// Hands on what is gathered.
    pub fn flush(&mut self) -> Outcome<()> {
        let (out, name) = self.parts();
        out.flush().map_err(|e| Failure::from_write(name, &e))
    }

    /// Everything is written: a file gets its name.
    pub fn complete(mut self) -> Outcome<()> {
        self.flush()?;
        if let Out::Staged { file, staged, path } = &mut self.out {
            *file = None;
            fs::rename(staged, path).map_err(|e| Failure::from_write(&self.name, &e))?;
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Out::Staged {
            file: Some(_),
            staged,
            ..
        } = &self.out
        {
            // The failure that led here is what the user hears of.
            let _ = fs::remove_file(staged);
        }
    }
}

fn staged(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    Some(path.with_file_name(format!(".{name}.partial-{}", std::process::id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let destination = Destination::File(path.clone());
        let mut sink = Sink::open(&destination).unwrap();
        sink.parts().0.write_all(b"a\n").unwrap();
        assert!(!path.exists());
        sink.complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\n");

        let mut sink = Sink::open(&destination).unwrap();
        sink.parts().0.write_all(b"half").unwrap();
        drop(sink);
        assert_eq!(
            fs::read(&path).unwrap(),
            b"a\n",
            "a failed result replaced a good one"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn devices_are_written_straight() {
        let mut sink = Sink::open(&Destination::File("/dev/null".into())).unwrap();
        sink.parts().0.write_all(b"gone").unwrap();
        sink.complete().unwrap();
        let failure = Sink::open(&Destination::File("/no/such/folder/x".into()))
            .err()
            .unwrap();
        assert!(failure.message.contains("/no/such/folder/x"), "{failure}");
    }
}
