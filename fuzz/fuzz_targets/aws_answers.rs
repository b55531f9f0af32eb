//! What AWS answers: the first byte is the status, the second what is asked, the rest the answer. `make fuzz` gives the file of the AWS
//! configuration, which names this process as the only AWS that there is.

#![no_main]

#[path = "../asking.rs"]
#[allow(dead_code)]
mod asking;

use karpctl::adapters::aws::{AwsClient, AwsSettings};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};

const STATUS: [&str; 5] = ["200 OK", "400 Bad Request", "403 Forbidden", "404 Not Found", "500 Internal Server Error"];

static ANSWER: Mutex<(&str, Vec<u8>)> = Mutex::new((STATUS[0], Vec::new()));
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
static AWS: LazyLock<AwsClient> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = std::env::var_os("AWS_CONFIG_FILE").expect("`make fuzz` names the file of the AWS configuration");
    let keys = "aws_access_key_id = test\naws_secret_access_key = test\nmax_attempts = 1\n";
    let address = listener.local_addr().unwrap();
    std::fs::write(file, format!("[profile there]\nendpoint_url = http://{address}\n{keys}")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    let settings = AwsSettings { region: Some("us-west-2".into()), profile: Some("there".into()) };
    RUNTIME.block_on(AwsClient::connect(&settings)).unwrap()
});

/// Answers each request of a connection as [`ANSWER`] says.
fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(2) => break,
                Ok(n) if n > 2 => {}
                _ => return,
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        let (status, body) = ANSWER.lock().unwrap().clone();
        let mut whole = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        whole.extend(body);
        if stream.write_all(&whole).is_err() {
            return;
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [status, turn, answer @ ..] = data else { return };
    let nth = |byte: &u8, from: u8| usize::from(byte.wrapping_sub(from));
    *ANSWER.lock().unwrap() = (STATUS[nth(status, b'0') % STATUS.len()], answer.to_vec());
    RUNTIME.block_on(asking::ask_aws(&AWS, nth(turn, b'A')));
});
