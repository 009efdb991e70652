//! An S3 store in a process of its own: moto's server, ended when its value is dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use warpflight_tests::python::{python_env, run_python};
use warpflight_tests::target::workspace_dir;

/// See the module.
pub struct Store {
    child: Child,
    /// Its URL, `http://127.0.0.1:PORT`.
    pub endpoint: String,
}

impl Store {
    /// Starts one with an empty bucket.
    pub fn start(bucket: &str) -> Self {
        let mut child = Command::new(python_env())
            .arg(workspace_dir().join("tests/s3/moto_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python can be started");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout)
            .read_line(&mut port)
            .expect("it prints its port");
        let store = Self {
            child,
            endpoint: format!("http://127.0.0.1:{}", port.trim()),
        };
        store.run("bucket", bucket, &[]);
        store
    }

    /// Puts files under keys.
    pub fn put<'a>(&self, bucket: &str, objects: impl IntoIterator<Item = (&'a str, &'a Path)>) {
        let objects: Vec<String> = objects
            .into_iter()
            .flat_map(|(key, path)| [key.to_owned(), path.display().to_string()])
            .collect();
        self.run(
            "put",
            bucket,
            &objects.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    /// Deletes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.run("delete", bucket, &[key]);
    }

    fn run(&self, action: &str, bucket: &str, rest: &[&str]) {
        run_python("s3/store.py", &[&[&self.endpoint, action, bucket], rest].concat());
    }

    /// The `[[store]]` entry for it.
    pub fn config(&self) -> String {
        format!(
            "[[store]]\nurl = \"s3://\"\noptions = {{ endpoint = \"{}\", allow_http = \"true\", region = \"us-east-1\", \
             access_key_id = \"tester\", secret_access_key = \"secret of the tester\", \
             virtual_hosted_style_request = \"false\" }}\n",
            self.endpoint
        )
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
