//! Test support: a tiny HTTP server that records requests and gives scripted answers. It closes the connection after
//! each answer; after the script has ended, and where it says [`NO_ANSWER`], without an answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// In place of a status: the connection is closed without an answer.
pub(crate) const NO_ANSWER: u16 = 0;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The request line, without the line end.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The operation in `X-Amz-Target`, or the request line.
    pub(crate) fn operation(&self) -> &str {
        self.header("x-amz-target")
            .map_or(&self.line, |target| target.trim_start_matches("AWSStepFunctions."))
    }

    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let line = next();
        let mut headers = Vec::new();
        loop {
            let header = next();
            let Some((name, value)) = header.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut request = Self { line, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |value| value.parse().unwrap());
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).unwrap();
        request
    }
}

/// A server on a free port of this machine.
pub(crate) struct Responder {
    /// Its address, for `--endpoint`.
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Responder {
    /// Starts a server that gives these answers (status, body), in this order.
    pub(crate) fn start<const N: usize>(answers: [(u16, &str); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut script = answers.map(|(status, body)| (status, body.to_owned())).into_iter();
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                seen.lock().unwrap().push(Request::read(&stream));
                let Some((status, body)) = script.next().filter(|(status, _)| *status != NO_ANSWER) else {
                    continue;
                };
                let head =
                    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}", body.len());
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
            }
        });
        Self { endpoint, requests }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The operations of all requests so far.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.operation().to_owned()).collect()
    }
}

/// The address of a port of this machine where nothing listens.
pub(crate) fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
