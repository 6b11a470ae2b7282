//! Programs that know only the cloud's own addresses: what they send there comes to the emulator by way of a proxy.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use emulator::Emulator;

/// The names that the emulator's certificate must have.
pub const HOSTS: [&str; 2] = ["login.microsoftonline.com", "graph.microsoft.com"];

/// The address of a proxy that takes the emulator for the cloud, and leads nowhere else.
pub fn proxy(emulator: &Emulator) -> String {
    let (_, port) = emulator.url().rsplit_once(':').unwrap();
    let address = format!("127.0.0.1:{port}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let address = address.clone();
            // Who goes away early is missed by nobody.
            thread::spawn(move || connect(client?, &address));
        }
    });
    own
}

/// Answers a CONNECT request, and passes on what follows.
fn connect(mut client: TcpStream, address: &str) -> io::Result<()> {
    let mut request = BufReader::new(client.try_clone()?).lines();
    let first = request.next().unwrap_or(Ok(String::new()))?;
    let target = first.rsplit_once(' ').map_or("", |(target, _)| target);
    while !request.next().unwrap_or(Ok(String::new()))?.is_empty() {}
    if !HOSTS
        .iter()
        .any(|host| target == format!("CONNECT {host}:443"))
    {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    }
    let mut server = TcpStream::connect(address)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server)?;
        to_server.shutdown(Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}
